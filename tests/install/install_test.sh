#!/bin/bash
# install_test.sh BUILD COMPILER...: installs into a temporary prefix, builds
# example.cpp with what pkg-config says and nothing else, and runs it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
shift
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
prefix=$stage$(meson introspect "$build" --buildoptions |
  python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
pc=$(find "$stage" -name fraqat.pc)
export PKG_CONFIG_PATH=${pc%/*}
pkg() { pkg-config --define-variable=prefix="$prefix" "$@" fraqat; }

passed=0 failed=0
expect() {
  if "${@:2}"; then ((++passed)); else ((++failed)); echo "failed: $1"; fi
}
expect "the version" test "$(pkg --modversion)" = "$(meson introspect "$build" --projectinfo |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')"
# shellcheck disable=SC2046
expect "the example compiles" "$@" -std=c++20 -Wall -Wextra -Werror $(pkg --cflags) \
  "$here/example.cpp" -o "$stage/example" $(pkg --libs)
expect "the example runs" "$stage/example" >"$stage/output"
cat "$stage/output"
# The last line is "epoch 6: 97.5 %, 6 quantizers": of three weights, the image and two activations.
expect "it learns with 4 bits" python3 -c '
import sys
words = sys.stdin.read().splitlines()[-1].split()
sys.exit(not (words[:2] == ["epoch", "6:"] and float(words[2]) > 80 and words[4] == "6"))' <"$stage/output"
expect "the program is there" "$prefix/bin/fraqat" --version
expect "the recipes are there" diff -r -x README.md "$here/../../models/recipes" "$prefix/share/fraqat/recipes"
echo "$passed passed, $failed failed"
((failed == 0))
