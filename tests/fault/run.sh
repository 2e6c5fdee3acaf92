#!/bin/bash
# run.sh [-a] [-p PLATFORM] VILLAGE [KIND...]: programs in a sandbox in which the n-th allocation or host call fails.
#
# The programs may end as they like.  The sandbox must not: no "internal error", no death by a signal of its own,
# no hang, no process left behind.  Every n of a sparse range is one test
# (-a: every n up to 600).  Ends with "N passed, M failed".
set -u

here=$(cd "$(dirname "$0")" && pwd)
all=
platforms=systrap
while getopts ap: o; do
	case $o in
	a) all=yes ;;
	p) platforms=$OPTARG ;;
	*) exit 1 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -lt 1 ] || [ ! -x "$1" ]; then
	echo "usage: run.sh [-a] [-p PLATFORM] VILLAGE [KIND...]" >&2
	exit 1
fi
VILLAGE=$1
shift
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(sh files warm sockets threads mmap fork ipc)

base=$(mktemp -d "${TMPDIR:-/tmp}/village-fault.XXXXXX")
trap 'rm -rf "$base"' EXIT
chmod 755 "$base"
ROOT=$base/root WORK=$base RESULTS=$base/results TEST=fault
export VILLAGE ROOT WORK RESULTS TEST
# shellcheck source=../oci/lib.sh
. "$here/../oci/lib.sh"
# shellcheck source=../sanitizer.sh
. "$here/../sanitizer.sh"
make_root "$ROOT" || exit 1
${CC:-gcc} -O1 -Wall -static -pthread -o "$ROOT/bin/prog" "$here/prog.c" || exit 1
${CC:-gcc} -O1 -Wall -o "$base/reaper" "$here/../oci/reaper.c" || exit 1

if ! VILLAGE_FAULT=nonsense "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/true 2>&1 | grep -q VILLAGE_FAULT; then
	echo "run.sh: this build of village has no fault injection: use MODE=dev" >&2
	exit 1
fi

command_of()
{
	case $1 in
	sh) command=(/bin/sh -c 'echo a b | cat | sort | wc -l; ls /proc /etc >/tmp/x; sort </tmp/x | head -n 2; for i in 1 2; do /bin/true; done; (sleep 0.01) & wait') ;;
	*) command=(/bin/prog "$1") ;;
	esac
}

# Start-up makes some 160 allocations and 60 host calls; a program a few hundred more of each.
points()
{
	local n=1

	if [ -n "$all" ]; then
		seq 1 600
		return
	fi
	while [ $n -lt 1500 ]; do
		echo $n
		n=$((n + 1 + n / ${STEP:-6}))
	done
}

passed=0 failed=0
one()
{
	local status report why=

	sanitizer_begin "$base/san"
	VILLAGE_FAULT=$2 LC_ALL=C "$base/reaper" "${FAULT_TIMEOUT:-15}" "$VILLAGE" "do" --platform "$3" --rootfs "$ROOT" -- "${command[@]}" \
	    >"$base/out" 2>"$base/err" </dev/null
	status=$?
	case $status in
	124) why="hangs" ;;
	125) why="leaves processes: $(grep '^left' "$base/out" | head -n 3)" ;;
	esac
	if grep -q "internal error\|killed by signal" "$base/err"; then
		why="crashes"
	elif grep -q "are missing" "$base/err"; then
		why="loses something"
	fi
	! report=$(sanitizer_report) || why=$report
	if [ -n "$why" ]; then
		failed=$((failed + 1))
		echo "fail $3 $1 VILLAGE_FAULT=$2 (status $status): $why"
		head -n 12 "$base/err"
		sanitizer_show
	else
		passed=$((passed + 1))
	fi
}

for platform in $platforms; do
	for kind in "${kinds[@]}"; do
		command_of "$kind"
		for n in $(points); do
			one "$kind" "alloc:$n" "$platform"
			one "$kind" "host:$n" "$platform"
		done
		# again and again, once the program runs
		for n in 3 10 50; do
			one "$kind" "alloc:300/$n" "$platform"
			one "$kind" "host:100/$n" "$platform"
		done
	done
	# all of them from some moment on
	command_of events
	for n in 400 800 1200; do
		one events "alloc:$n/1" "$platform"
	done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
