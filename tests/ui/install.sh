# tests/ui/install.sh: installs the packages of the lock files when they changed. Sourced in tests/ui.
ui_install() { # ui_install FOLDER; the pages' suites may both be at it
    exec 8<"$1/package-lock.json"
    flock 8
    lock=$(sha256sum "$1/package-lock.json" | cut -d' ' -f1)
    [ "$(cat "$1/node_modules/.lock-hash" 2>/dev/null)" = "$lock" ] && return 0
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 || return 1
    echo "$lock" >"$1/node_modules/.lock-hash"
}
if ! (ui_install . && ui_install ../../runtime/web); then # the locks end with the brackets
    echo "npm ci failed"
    echo "0 passed, 1 failed"
    exit 1
fi
