#!/bin/bash
# run.sh RUNS TARGET...: each target over its seeds and RUNS mutations of them.  Ends with "N passed, M failed".
set -u

here=$(cd "$(dirname "$0")" && pwd)
runs=$1
shift
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/village-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
for target in "$@"; do
	name=$(basename "$target")
	dir=$(cd "$(dirname "$target")" && pwd)
	seeds=$here/seeds/$name
	mkdir -p "$work/$name"
	if [ ! -d "$seeds" ]; then
		failed=$((failed + 1))
		echo "fail $name: no seeds in tests/fuzz/seeds/$name"
		continue
	fi
	(cd "$work/$name" && TMPDIR=$work timeout 300 "$dir/$name" -n "$runs" "$seeds") >"$work/log" 2>&1
	status=$?
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		echo "pass $name: $(tail -n 1 "$work/log")"
	else
		failed=$((failed + 1))
		echo "fail $name: status $status"
		tail -n 40 "$work/log"
		if [ -e "$work/$name/crash-input" ]; then
			mv "$work/$name/crash-input" "$dir/$name-crash"
			echo "input: $dir/$name-crash"
		fi
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
