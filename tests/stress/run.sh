#!/bin/bash
# run.sh [-s SECONDS] [-r SEED] [-p PLATFORMS] VILLAGE: a random mix of system calls in a sandbox, on each platform.
#
# The sandbox must survive and end by itself, with nothing left behind and no report of an internal error.
# Prints what was done; ends with "N passed, M failed".  STRESS_GRACE: seconds that a sandbox may take besides.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../sanitizer.sh
. "$here/../sanitizer.sh"
seconds=20 seed=$$ platforms="systrap ptrace"
while getopts s:r:p: o; do
	case $o in
	s) seconds=$OPTARG ;;
	r) seed=$OPTARG ;;
	p) platforms=$OPTARG ;;
	*) exit 1 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# != 1 ] || [ ! -x "$1" ]; then
	echo "usage: run.sh [-s SECONDS] [-r SEED] [-p PLATFORMS] VILLAGE" >&2
	exit 1
fi
base=$(mktemp -d "${TMPDIR:-/tmp}/village-stress.XXXXXX")
trap 'rm -rf "$base"' EXIT
chmod 755 "$base"
mkdir -p "$base"/root/{bin,tmp,proc,dev,etc}
${CC:-gcc} -O1 -Wall -static -pthread -o "$base/root/bin/mix" "$here/mix.c" || exit 1
${CC:-gcc} -O1 -Wall -o "$base/reaper" "$here/../oci/reaper.c" || exit 1

passed=0 failed=0
for platform in $platforms; do
	sanitizer_begin "$base/san"
	"$base/reaper" $((seconds + ${STRESS_GRACE:-40})) "$1" "do" --platform "$platform" --rootfs "$base/root" -- \
	    /bin/mix "$seconds" "$seed" >"$base/out" 2>"$base/err" </dev/null
	status=$?
	if report=$(sanitizer_report); then
		failed=$((failed + 1))
		echo "fail $platform, seed $seed: $report"
		sanitizer_show
	elif [ $status = 0 ] && grep -aq "operations:" "$base/out" && ! grep -q "internal error" "$base/err"; then
		passed=$((passed + 1))
		echo "pass $platform, seed $seed: $(grep -a "operations:" "$base/out" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "fail $platform, seed $seed: status $status"
		tail -n 5 "$base/out"
		head -n 60 "$base/err"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
