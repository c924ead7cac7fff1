#!/bin/sh
# tests/suites/numbers.sh: printing and reading of doubles against Node.js: a pipeline copies random
# numbers, Node says what String(x) is for each. COUNT makes it longer.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${BUILD:-$top/build}/tutti
[ -x "$tutti" ] || tutti=${ASAN_BUILD:-$top/build-asan}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
cat >copy.tutti <<'END'
type R = { x: f64 }
pipeline copy {
  from stdin as json R
  into stdout
  on error into file "errors.ndjson"
}
END
cat >make.js <<'END'
const fs = require('fs');
const [count, seedText] = process.argv.slice(2);
let s = BigInt(seedText) | 1n;
const next = () => { s ^= (s << 13n) & 0xffffffffffffffffn; s ^= s >> 7n; s ^= (s << 17n) & 0xffffffffffffffffn; return s; };
const view = new DataView(new ArrayBuffer(8));
const texts = [], wants = [];
for (let i = 0; i < Number(count); i++) {
  const r = next();
  let text;
  if (i % 3 === 0) { view.setBigUint64(0, r); const x = view.getFloat64(0); if (!Number.isFinite(x)) continue; text = x.toPrecision(17); }
  else if (i % 3 === 1) text = (Number(r % 100000000n) / 10 ** Number((r >> 40n) % 7n)).toString();
  else text = `${r % 1000n}.${next()}e${Number((r >> 32n) % 640n) - 330}`;
  const value = Number(text);
  if (!Number.isFinite(value)) continue;
  texts.push(`{"x":${text}}`);
  wants.push(`{"x":${Object.is(value, -0) ? 0 : value}}`);
}
fs.writeFileSync('in', texts.join('\n') + '\n');
fs.writeFileSync('want', wants.join('\n') + '\n');
END
seed=${SEED:-20261128} # the same on every machine; SEED=$(date +%s) tries others
echo "seed $seed"
node make.js "${COUNT:-600000}" "$seed"
passed=0 failed=0
for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    "$tutti" run --batch --engine "$engine" --cache "$dir" copy.tutti <in >got || echo "exit $?"
    if cmp got want; then
        passed=$((passed + 1))
    else
        diff got want | head -10
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
