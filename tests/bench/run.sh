#!/bin/bash
# run.sh [-p systrap|ptrace] [-n ROUNDS] [-f TEXT] [-q] VILLAGE [ROOT]
#
# Measures operations and programs natively and in a sandbox over the same root (rootfs.sh makes it), in turns, and
# holds the ratios against the marks that the project has set itself (the file marks).  -q: only the single operations.
# -f: of these, only the rows with TEXT in their names.  -n: how often native and sandbox take turns there (3).
#
# Needs root, for chroot and mounts.  Anything else that runs on the machine shows in the figures, most of all in those
# where two threads take turns.
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/group.sh"
platform=systrap
rounds=3
quick=
only=

usage()
{
	echo "usage: run.sh [-p systrap|ptrace] [-n ROUNDS] [-f TEXT] [-q] VILLAGE [ROOT]" >&2
	exit 1
}

# All mounts are made in a namespace that ends with this script.
if [ -z "${BENCH_PRIVATE:-}" ]; then
	BENCH_PRIVATE=yes exec unshare --mount --propagation private "$0" "$@"
fi

while getopts p:n:f:q opt; do
	case $opt in
	p) platform=$OPTARG ;;
	n) rounds=$OPTARG ;;
	f) only=$OPTARG quick=yes ;;
	q) quick=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || [ $# -eq 2 ] || usage
[ -x "$1" ] || usage
root=${2:-$("$here/../programs/rootfs.sh")} || exit 1
[ -d "$root/cases" ] || { echo "run.sh: $root: not a root that rootfs.sh made" >&2; exit 1; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
trap 'group_end; umount -lR "$tmp/view" 2>/dev/null; rm -rf --one-file-system "$tmp"' EXIT
# A file of its own: nobody else's sandboxes share its pages and make its memory look smaller.
village=$tmp/village
cp "$1" "$village" || exit 1
mkdir "$tmp/bin" "$tmp/view" "$tmp/small" "$tmp/small/proc" "$tmp/small/dev" "$tmp/bundle"
for prog in micro host; do
	${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -O2 -static -pthread -o "$tmp/bin/$prog" "$here/$prog.c" || exit 1
done
printf '#include <unistd.h>\nint main(void) { sleep(60); return 0; }\n' >"$tmp/sleep.c"
${CC:-gcc} -O2 -static -o "$tmp/small/sleep" "$tmp/sleep.c" || exit 1
host=$tmp/bin/host

# Natively: the root, read-only, with scratch files in memory, as the overlay of a sandbox has them.
view=$tmp/view
{ mount --bind "$root" "$view" && mount -o remount,ro,bind "$view" && mount -t proc proc "$view/proc" &&
    mount --bind /dev "$view/dev" && mount -t tmpfs -o mode=1777 tmpfs "$view/tmp" &&
    mount --bind "$tmp/bin" "$view/cases"; } || { echo "run.sh: needs root" >&2; exit 1; }
inside=("$village" "do" --platform "$platform" --rootfs "$root" --volume "$tmp/bin:/cases:ro" --cwd /tmp)

rows=$tmp/rows
: >"$rows"

# take SIDE [NAME]: the lines of a measuring program become rows; NAME replaces theirs.
take()
{
	awk -F '\t' -v OFS='\t' -v side="$1" -v name="${2:-}" '{ print name == "" ? $1 : name, side, $2, $3 }' >>"$rows"
}

# native SECONDS COMMAND...; sandbox SECONDS COMMAND...
native()
{
	timeout -k 2 "$1" chroot "$view" "${@:2}" </dev/null
}

sandbox()
{
	timeout -k 2 "$1" "${inside[@]}" -- "${@:2}" </dev/null || echo "run.sh: $2: status $?" >&2
}

printf '%s, %s processors, Linux %s; %s\n' "$(uname -m)" "$(nproc)" "$(uname -r | sed 's/-.*//')" "$platform"

micro=(/cases/micro /tmp /usr/bin/bash ${only:+"$only"})
for ((i = 0; i < rounds; i++)); do
	native 30 "${micro[@]}" | take native
	sandbox 60 "${micro[@]}" | take sandbox
done

# What a trapped call needs at the least, and what one takes.
trapped()
{
	{ timeout 10 "$host" sigsys; timeout 10 "$host" spin; } >"$tmp/floor"
	take native <"$tmp/floor"
	awk -F '\t' '{ if ($2 == "-") print; else { s += $2; n++ } } END { if (n == 2) print "sum\t" s "\tns" }' \
	    "$tmp/floor" | take native "null syscall, trapped"
	timeout -k 2 20 "$village" --patch off "${inside[@]:1}" -- "${micro[@]:0:3}" getppid </dev/null |
	    take sandbox "null syscall, trapped"
}

# named NAME: lines of a measuring program become rows of the sandbox, with NAME before theirs.
named()
{
	awk -F '\t' -v OFS='\t' -v name="$1" '{ $1 = name $1 } 1' | take sandbox
}

# start NAME COMMAND...: 20 times from before its exec until its end was collected.
start()
{
	# shellcheck disable=SC2034 # stamp sets them
	local now cpu before

	stamp
	before=$cpu
	{ group_enter && exec timeout 20 "$host" start 20 "${@:2}" </dev/null; } | named "$1, "
	group_settle
	stamp
	if [ -n "$group" ]; then
		printf '%s\tsandbox\t%s\tus\n' "$1, CPU" $(((cpu - before) / 20)) >>"$rows"
	else
		# shellcheck disable=SC2154 # group.sh has it
		printf '%s\tsandbox\t-\t%s\n' "$1, CPU" "$group_why" >>"$rows"
	fi
}

outside()
{
	[ "$platform" = ptrace ] || for ((i = 0; i < rounds; i++)); do trapped; done
	start "do /bin/true" "$village" "do" --platform "$platform" -- /bin/true
	"$village" spec -b "$tmp/bundle" &&
	    sed -i -e 's/"args": .*/"args": ["\/bin\/true"],/' -e 's/"terminal": true/"terminal": false/' \
	        -e "s|\"path\": \"rootfs\"|\"path\": \"$root\"|" "$tmp/bundle/config.json"
	start "run /bin/true" "$village" --root "$tmp/state" --platform "$platform" run -b "$tmp/bundle" "bench$$"
	timeout 20 "$host" idle 3 "$village" "do" --platform "$platform" --rootfs "$tmp/small" -- /sleep </dev/null 2>/dev/null |
	    named "idle: "
}

if [ -z "$quick" ]; then
	group_find
	outside
	. "$here/work.sh"
fi
awk -v all="$([ -n "$quick" ] || echo 1)" -f "$here/report.awk" "$here/marks" "$rows"
