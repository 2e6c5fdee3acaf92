#!/bin/bash
# ltp.sh [-j N] [-k DIR] [-s SECONDS] VILLAGE LTPDIR [REGEX]
#
# Runs the system call tests of the Linux Test Project, each natively and then under VILLAGE on systrap,
# and compares how many results of each kind they report.  LTPDIR is an installed copy (/opt/ltp) or a
# built source tree; it is not changed.  REGEX chooses tests by name.  -k keeps every transcript in DIR.
#
# A line per test: "same", "worse" with what differs, or (with -k, in DIR/verdicts) "skip": a test that
# natively reports nothing but "not possible here" says nothing about the sandbox.  Ends with
# "N passed, M failed"; passed is: inside at least as good as native.
#
# Tests are hostile to their machine, so the native side gets namespaces of its own and no loop devices, and
# those that set the clock, load modules or talk to the network are left out.
set -u

jobs=2
keep=
seconds=${LTP_SECONDS:-25}
while getopts j:k:s: opt; do
	case $opt in
	j) jobs=$OPTARG ;;
	k) keep=$OPTARG ;;
	s) seconds=$OPTARG ;;
	*) exit 1 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -lt 2 ]; then
	echo "usage: ltp.sh [-j N] [-k DIR] [-s SECONDS] VILLAGE LTPDIR [REGEX]" >&2
	exit 1
fi
if [ ! -x "$1" ] || [ ! -f "$2/runtest/syscalls" ]; then
	echo "ltp.sh: needs a village binary and a copy of LTP with runtest/syscalls" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "ltp.sh: the tests need root" >&2
	exit 1
fi
village=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
ltp=$(cd "$2" && pwd)
regex=${3:-}

# Clock, modules, swap, accounting, the machine itself; other filesystems; other machines.
left_out='^(adjtimex|clock_adjtime|clock_settime|settimeofday|stime|leapsec|acct|add_key|keyctl|request_key|bpf'
left_out+='|delete_module|finit_module|init_module|reboot|swapon|swapoff|syslog|vhangup|iopl|ioperm|kexec|quotactl'
left_out+='|fanotify|fs[a-z]*mount|fsconfig|fsopen|fspick|mount|umount|move_mount|open_tree|listmount|statmount'
left_out+='|perf_event|landlock|lsm|sockioctl|ioctl_loop|ioctl_fi|ioctl_ns|ioctl_sg|ioctl_ficlone|io_uring|userfaultfd'
left_out+='|mbind|migrate_pages|move_pages|get_mempolicy|set_mempolicy|pivot_root|sysctl|sysfs|ustat|file_attr'
left_out+='|gethostbyname|cve|setns|quota|nftw|ssetmask|sgetmask|socketcall|cacheflush|cma|modify_ldt|.*_16$)'

# Below /var/tmp: a sandbox has a /tmp of its own, and some tests want a real filesystem.
base=$(mktemp -d "${TMPDIR:-/var/tmp}/village-ltp.XXXXXX") || exit 1
trap 'rm -rf "$base"' EXIT
out=${keep:-$base/out}
bin=$base/ltp/testcases/bin
mkdir -p "$out" "$bin" "$base/tmp"
chmod 755 "$base" "$base/ltp" "$base/ltp/testcases"
chmod 777 "$bin"
chmod 1777 "$base/tmp"
: >"$out/verdicts"
# Tests look for their helpers in one directory, where an installed copy has them.
find "$ltp/testcases/bin" "$ltp/testcases/kernel/syscalls" "$ltp/testcases/lib" -type f -perm -1 \
    -exec ln -sf -t "$bin" {} + 2>/dev/null

# one NATIVE|INSIDE NAME COMMAND...: prints the exit status; the transcript is in $out.
one()
{
	local side=$1 name=$2
	# Not exec: a test whose parent is process 1 takes itself for an orphan.
	# shellcheck disable=SC2016
	local run='"$@"; exit $?'
	local -a env=(PATH="$bin:/usr/sbin:/usr/bin:/sbin:/bin" LTPROOT="$base/ltp" HOME=/root LC_ALL=C
	    TMPDIR="$base/tmp" KCONFIG_SKIP_CHECK=1 LTP_RUNTIME_MUL=0.1 LTP_COLORIZE_OUTPUT=n)

	shift 2
	if [ "$side" = native ]; then
		(cd "$bin" && exec env -i --default-signal "${env[@]}" timeout -k 3 "$seconds" \
		    unshare --fork --pid --mount --uts --ipc --mount-proc --kill-child \
		    sh -c "mount --bind /dev/null /dev/loop-control; $run" sh "$@") </dev/null >"$out/$name.$side" 2>&1
	else
		env -i --default-signal PATH="$PATH" HOME=/root timeout -k 3 $((seconds * 2)) \
		    "$village" do --platform systrap -v "$base:$base" -w "$bin" -- \
		    env -i "${env[@]}" sh -c "$run" sh "$@" </dev/null >"$out/$name.$side" 2>&1
	fi
	echo $?
}

count()
{
	grep -acE "(^|[ :])$2([: ]|$)" "$1"
}

# judge NAME STATUS STATUS: same, worse or skip, and why.
judge()
{
	local name=$1 n=$2 v=$3 kind why= a b

	if [ "$n" = 124 ] || [ "$n" = 137 ]; then
		echo "skip $name: natively longer than $seconds s"
		return
	fi
	if [ "$(count "$out/$name.native" TPASS)" = 0 ] && [ "$n" != 0 ]; then
		echo "skip $name: natively no result, status $n"
		return
	fi
	case $v in
	"$n" | 0) ;;
	124 | 137) why=' timeout' ;;
	*) why=" status $v not $n" ;;
	esac
	for kind in TFAIL TBROK TCONF; do
		a=$(count "$out/$name.native" $kind)
		b=$(count "$out/$name.inside" $kind)
		[ "$b" -le "$a" ] || why+=" $kind $b not $a"
	done
	a=$(count "$out/$name.native" TPASS)
	b=$(count "$out/$name.inside" TPASS)
	[ "$b" -ge "$a" ] || why+=" TPASS $b not $a"
	if [ -n "$why" ]; then
		echo "worse $name:$why"
	else
		echo "same $name"
	fi
}

compare()
{
	local name=$1 n v

	shift
	n=$(one native "$name" "$@")
	if [ "$n" = 32 ] && ! grep -aq TPASS "$out/$name.native"; then
		v=32
	else
		v=$(one inside "$name" "$@")
	fi
	judge "$name" "$n" "$v" | tee -a "$out/verdicts" | grep -v '^skip'
}

while read -r name command; do
	case $name in '' | \#*) continue ;; esac
	[[ $name =~ $regex && ! $name =~ $left_out ]] || continue
	[ -x "$bin/${command%% *}" ] || continue
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n
	done
	# The words of a command line in runtest/ are a shell's.
	eval "set -- $command"
	compare "$name" "$@" &
done <"$ltp/runtest/syscalls"
wait

passed=$(grep -c '^same' "$out/verdicts")
failed=$(grep -c '^worse' "$out/verdicts")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
