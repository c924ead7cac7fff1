# tests/npm.sh: sourced in a folder with a package-lock.json: its packages, once for each lock.
# npm_options: more options of `npm ci`. Several suites may ask for the same folder at once.
exec 8<package-lock.json
flock 8
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.lock-hash 2>/dev/null)" != "$lock" ]; then
    # shellcheck disable=SC2086
    if ! npm ci ${npm_options:-} --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
        echo "npm ci failed"
        echo "0 passed, 1 failed"
        exit 1
    fi
    echo "$lock" >node_modules/.lock-hash
fi
exec 8>&-
