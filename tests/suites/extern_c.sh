#!/bin/sh
# tests/suites/extern_c.sh: C that does not fit is refused with the user's own file and line; a Lite
# file carries its C. (What C functions compute is tests/lang/batch/extern.tutti, what a server takes
# is tests/e2e/engine.mjs.)
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
passed=0 failed=0
trap 'rm -rf "$dir"' EXIT
check() { # check NAME COMMAND...
    name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $name" && tail -n 5 said; fi
}
cd "$dir" || exit 1

program() { # program FUNCTION CALL
    cat >p.tutti <<END
extern c "f.c" { $1 }
pipeline p {
  from stdin as json { x: f64, xs: [f32; 4] }
  let y = $2
  keep y
  into stdout
  on error into file "dead.ndjson"
}
END
}
for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    says() { # says TEXT: the run is refused, and TEXT says why
        ! printf '{"x":1,"xs":[]}\n' | "$tutti" run --batch --engine "$engine" --cache "$dir" p.tutti >said 2>&1 &&
            grep -qF "$1" said
    }
    program 'pure fn f(x: f64) -> f64' 'f(x)'
    printf 'double f(double x)\n{\n    return x +;\n}\n' >f.c
    check "$engine: a mistake in C is named by file and line" says 'f.c:3:15'
    echo 'double g(double x) { return x; }' >f.c
    check "$engine: a function that is not there" says 'undeclared (first use in this function)'
    program 'pure fn f(xs: [f32; 4]) -> f64' 'f(xs)'
    echo 'double f(const double *xs, unsigned long n) { return n ? xs[0] : 0; }' >f.c
    check "$engine: an array of another type" says 'in C it is: double f(const float *xs, size_t nxs)'
    program 'step fn f(s: state Big(8), x: f64) -> f64' 'f(x)'
    echo 'struct Big { double a, b; }; double f(struct Big *s, double x) { s->b = x; return s->a; }' >f.c
    check "$engine: a state larger than declared" says 'struct Big is larger than the state(8) that is declared'
done

program 'step fn f(s: state Sum(8), x: f64) -> f64' 'f(x)'
echo 'typedef double Sum; double f(Sum *s, double x) { return *s += x; }' >f.c
built() { "$tutti" build p.tutti --target lite -o lite >said 2>&1; }
check "a Lite file is built" built
rm f.c
printf '{"x":1,"xs":[]}\n{"x":2.5,"xs":[]}\n' | ./lite --batch >said 2>&1
printf '{"y":1}\n{"y":3.5}\n' >want
check "it runs without its C file" cmp said want

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
