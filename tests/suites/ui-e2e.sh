#!/bin/sh
# tests/suites/ui-e2e.sh: the pages in a real browser against the real program over the demo plant.
set -u
cd "$(dirname "$0")/../.."
case ${BUILD:=build} in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD
cd tests/ui
. ./install.sh
exec node e2e/run.mjs
