#!/bin/sh
# tests/suites/email.sh: mails to an SMTP server, and the andon example whole; npm packages are locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/email.mjs "$@"
