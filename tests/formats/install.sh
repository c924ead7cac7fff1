# tests/formats/install.sh: sourced in tests/formats: the packages of package-lock.json, once for each lock.
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.lock-hash 2>/dev/null)" != "$lock" ]; then
    if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
        echo "npm ci failed"
        echo "0 passed, 1 failed"
        exit 1
    fi
    echo "$lock" >node_modules/.lock-hash
fi
