#!/bin/bash
# run.sh [-p PLATFORM] [--native] [--keep DIR] VILLAGE ROOT [NAME...]
#
# Runs each script of cases/ over ROOT (rootfs.sh makes it) in a chroot and then in the sandbox, and
# compares standard output and exit status.  Outside, ROOT is mounted read-only with a fresh /tmp; inside,
# the overlay keeps what is written.  A case with a line "# rw" runs on a writable copy-on-write view of
# ROOT on both sides, with --rw inside, and what it left there must be the same too.
# --native stops after the runs outside, made twice: their output must be stable.
set -u

# Nothing that whoever calls this has open may reach a native run: the sandbox would not see it.
for fd in /proc/"$$"/fd/*; do
	fd=${fd##*/}
	if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then
		eval "exec $fd>&-"
	fi
done

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../sanitizer.sh
. "$here/../sanitizer.sh"
platform=systrap
native=
keep=
seconds=${PROGRAM_TIMEOUT:-180}

usage()
{
	echo "usage: run.sh [-p systrap|ptrace] [--native] [--keep DIR] VILLAGE ROOT [NAME...]" >&2
	exit 1
}

# All mounts are made in a namespace that ends with this script.
if [ -z "${PROGRAMS_PRIVATE:-}" ]; then
	PROGRAMS_PRIVATE=yes exec unshare --mount --propagation private "$0" "$@"
fi

while [ $# -gt 0 ]; do
	case $1 in
	-p) [ $# -gt 1 ] || usage; platform=$2; shift 2 ;;
	--native) native=yes; shift ;;
	--keep) [ $# -gt 1 ] || usage; keep=$2; shift 2 ;;
	-?*) usage ;;
	*) break ;;
	esac
done
[ $# -ge 2 ] || usage
village=$1
root=$(cd "$2" 2>/dev/null && pwd) || { echo "run.sh: $2: no such directory" >&2; exit 1; }
shift 2
if [ -z "$native" ]; then
	[ -x "$village" ] || { echo "run.sh: $village: no such program" >&2; exit 1; }
	village=$(cd "$(dirname "$village")" && pwd)/$(basename "$village")
fi
[ -d "$root/cases" ] || { echo "run.sh: $root: not a root that rootfs.sh made" >&2; exit 1; }

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for f in "$here"/cases/*.sh; do
		names+=("$(basename "$f" .sh)")
	done
fi

base=$(mktemp -d "${TMPDIR:-/tmp}/village-programs.XXXXXX")
mount -t tmpfs -o mode=755 tmpfs "$base" || { echo "run.sh: needs root" >&2; exit 1; }
log=$base/log
[ -z "$keep" ] || { mkdir -p "$keep" && log=$(cd "$keep" && pwd); }
mkdir -p "$log" "$base/view"
trap 'umount -l "$base" 2>/dev/null; rmdir "$base" 2>/dev/null' EXIT
ulimit -c 0
umask 022

# bounded OUT ERR COMMAND...
bounded()
{
	local out=$1 err=$2

	shift 2
	env -i --default-signal PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
	    timeout -k 5 "$seconds" "$@" </dev/null >"$out" 2>"$err"
}

# The surroundings outside; run in a mount and pid namespace of its own.
outside_script='
set -e
view=$1 cases=$2 script=$3
mount -t proc proc "$view/proc"
mount -t tmpfs -o mode=755 tmpfs "$view/dev"
for d in null zero full random urandom tty; do
	: >"$view/dev/$d"
	mount --bind "/dev/$d" "$view/dev/$d"
done
mkdir "$view/dev/pts" "$view/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$view/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$view/dev/shm"
ln -s pts/ptmx "$view/dev/ptmx"
ln -s /proc/self/fd "$view/dev/fd"
ln -s /proc/self/fd/0 "$view/dev/stdin"
ln -s /proc/self/fd/1 "$view/dev/stdout"
ln -s /proc/self/fd/2 "$view/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$view/tmp"
mount --bind -o ro "$cases" "$view/cases"
cd "$view"
exec chroot . /bin/sh -c "cd /tmp && exec /bin/sh $script"
'

outside()
{
	local name=$1 out=$2 err=$3 view=$4

	bounded "$out" "$err" unshare --mount --propagation private --pid --ipc --uts --fork --kill-child \
	    sh -c "$outside_script" outside "$view" "$here/cases" "/cases/$name.sh"
}

inside()
{
	local name=$1 out=$2 err=$3 view=$4 rw=$5

	sanitizer_begin "$log/$name.san"
	bounded "$out" "$err" env VILLAGE_SANITIZER_LOG="$VILLAGE_SANITIZER_LOG" "$village" "do" --platform "$platform" --rootfs "$view" ${rw:+--rw} \
	    --volume "$here/cases:/cases:ro" --cwd /tmp -- /bin/sh "/cases/$name.sh"
}

# view_rw NAME: a writable view of the root at $base/view, its changes in $base/NAME.
view_rw()
{
	mkdir -p "$base/$1/upper" "$base/$1/work"
	mount -t overlay -o "lowerdir=$root,upperdir=$base/$1/upper,workdir=$base/$1/work" overlay "$base/view"
}

view_ro()
{
	mount --bind "$root" "$base/view" && mount -o remount,ro,bind "$base/view"
}

# picture DIR: what was changed, without times and logs.
picture()
{
	(
		cd "$1" || exit
		find . \( -path ./var/log -o -path ./tmp -o -path ./proc -o -path ./dev -o -path ./cases -o -path ./run -o -path ./var/cache/ldconfig \) -prune \
		    -o ! -type d -printf '%y %m %U:%G %p %l\n' -o -type d -printf '%y %m %U:%G %p\n' | sort
		find . \( -path ./var/log -o -path ./tmp -o -path ./proc -o -path ./dev -o -path ./var/cache/ldconfig \) -prune \
		    -o -type f -print0 | sort -z | xargs -0 -r sha256sum
	)
}

excerpt()
{
	diff -U0 --label outside --label inside "$1" "$2" | grep -av '^@@' | sed -n '3,10s/^/    /p' | cut -c1-200
}

passed=0
failed=0
verdict()
{
	if [ -z "$2" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "fail $platform $1: $2"
	fi
}

for name in "${names[@]}"; do
	script=$here/cases/$name.sh
	[ -e "$script" ] || { echo "run.sh: $name: no such case" >&2; exit 1; }
	rw=
	grep -q '^# rw$' "$script" && rw=yes
	bad=

	if [ -n "$rw" ]; then view_rw "out-$name"; else view_ro; fi
	outside "$name" "$log/$name.outside" "$log/$name.outside.err" "$base/view"
	want=$?
	umount "$base/view"
	if [ $want != 0 ]; then
		verdict "$name" "outside: exit status $want: $(tail -n 1 "$log/$name.outside.err")"
		continue
	fi
	if [ -n "$native" ]; then
		if [ -n "$rw" ]; then view_rw "again-$name"; else view_ro; fi
		outside "$name" "$log/$name.again" "$log/$name.again.err" "$base/view"
		umount "$base/view"
		cmp -s "$log/$name.outside" "$log/$name.again" || bad="output is not stable"
		verdict "$name" "$bad"
		[ -z "$bad" ] || excerpt "$log/$name.outside" "$log/$name.again"
		continue
	fi

	if [ -n "$rw" ]; then view_rw "in-$name"; else view_ro; fi
	inside "$name" "$log/$name.inside" "$log/$name.inside.err" "$base/view" "$rw"
	status=$?
	umount "$base/view"
	if report=$(sanitizer_report); then
		verdict "$name" "$report"
		sanitizer_show
		continue
	elif [ $status = 124 ] || [ $status = 137 ]; then
		bad="timed out after $seconds s"
	elif [ $status != $want ]; then
		bad="exit status $status, outside $want: $(tail -n 1 "$log/$name.inside.err" | cut -c1-200)"
	elif ! cmp -s "$log/$name.outside" "$log/$name.inside"; then
		bad="output differs"
	fi
	if [ -z "$bad" ] && [ -n "$rw" ]; then
		picture "$base/out-$name/upper" >"$log/$name.outside.tree"
		picture "$base/in-$name/upper" >"$log/$name.inside.tree"
		if ! cmp -s "$log/$name.outside.tree" "$log/$name.inside.tree"; then
			verdict "$name" "it left other files"
			excerpt "$log/$name.outside.tree" "$log/$name.inside.tree"
			continue
		fi
	fi
	verdict "$name" "$bad"
	[ -z "$bad" ] || excerpt "$log/$name.outside" "$log/$name.inside"
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
