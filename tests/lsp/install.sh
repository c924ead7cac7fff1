# tests/lsp/install.sh: installs the packages of the lock file when it changed. Sourced in tests/lsp.
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.lock-hash 2>/dev/null)" != "$lock" ]; then
    if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
        echo "npm ci failed"
        echo "0 passed, 1 failed"
        exit 1
    fi
    echo "$lock" >node_modules/.lock-hash
fi
