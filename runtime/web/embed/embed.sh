#!/bin/sh
# runtime/web/embed/embed.sh DIST OUT: writes OUT/web_files.c, the table of embed.h, and the gzipped
# files it includes. A file is "hashed" when it lies in assets/ (vite puts the hash into those names).
set -eu
dist=$1 out=$2
mkdir -p "$out/web"
table=$out/web_files.c.new
{
    echo "/* Written by runtime/web/embed/embed.sh from the built pages; do not edit. */"
    echo '#include "web/embed/embed.h"'
} >"$table"
rows=$out/web_files.rows count=0
: >"$rows"
list=$( [ -d "$dist" ] && cd "$dist" && find . -type f | sed 's|^\.||' | LC_ALL=C sort || true)
for path in $list; do
    case $path in
        *.html) type="text/html; charset=utf-8" ;;
        *.js) type="text/javascript; charset=utf-8" ;;
        *.css) type="text/css; charset=utf-8" ;;
        *.svg) type="image/svg+xml" ;;
        *.png) type=image/png ;;
        *.ico) type=image/x-icon ;;
        *.woff2) type=font/woff2 ;;
        *.json | *.webmanifest) type="application/json" ;;
        *.txt) type="text/plain; charset=utf-8" ;;
        *.map) continue ;; # for developers only
        *) echo "embed: unknown kind of file: $path" >&2; exit 1 ;;
    esac
    hashed=false
    case $path in /assets/*) hashed=true ;; esac
    gzip -9 -n -c "$dist$path" >"$out/web/$count.gz"
    etag=$(sha256sum "$dist$path" | cut -c1-24)
    bytes=$(wc -c <"$dist$path" | tr -d ' ')
    packed=$(wc -c <"$out/web/$count.gz" | tr -d ' ')
    cat >>"$table" <<END
__asm__(".section .rodata; .balign 16; .global web_data_$count; web_data_$count:"
        ".incbin \"$out/web/$count.gz\"; .byte 0; .previous");
extern const char web_data_$count[];
END
    cat >>"$rows" <<END
    {"$path", "$type", "\\"$etag\\"", {web_data_$count, $packed}, $bytes, $hashed},
END
    count=$((count + 1))
done
{
    echo "const WebFile web_files[] = {"
    cat "$rows"
    echo "    {0}};"
    echo "const uint32_t web_file_count = $count;"
} >>"$table"
rm "$rows"
mv "$table" "$out/web_files.c"
