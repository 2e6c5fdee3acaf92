#!/bin/bash
# run.sh [-p PLATFORM[:WHEN]]... [-j N] [--patch WHEN] [--strace] [--native] [--keep] VILLAGE OUTDIR [NAME...]
#
# Compiles the guest programs into OUTDIR, runs each natively (twice: its transcript must be stable),
# then under VILLAGE on each platform, and compares the transcripts byte for byte.
# WHEN is what --patch takes: for all platforms, or for one that is listed with it.
# --native stops after the native runs (VILLAGE is then not used); --strace passes that on, its output
# discarded.  The file `differences` names accepted disagreements; one that agrees fails the run.
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
seconds=${GUEST_TIMEOUT:-40}
platforms=()
jobs=2
strace=
patch=
native=

usage()
{
	echo "usage: run.sh [-p systrap|ptrace[:WHEN]]... [-j N] [--patch WHEN] [--strace] [--native] VILLAGE OUTDIR [NAME...]" >&2
	exit 1
}

# quiet_run OUT ERR COMMAND...: the same surroundings for both sides: no input, no descriptor above
# 2, default signals, and an end to it.
quiet_run()
{
	local out=$1 err=$2

	shift 2
	env -i --default-signal PATH=/usr/bin:/bin HOME=/tmp LC_ALL=C \
	    timeout -k 3 "$seconds" "$@" </dev/null >"$out" 2>"$err" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- \
	    10>&- 11>&- 12>&- 13>&- 14>&- 15>&-
}

excerpt()
{
	diff -U0 --label native --label "$3" "$1" "$2" | grep -av '^@@' | sed -n '3,12s/^/    /p' | cut -c1-160
}

# accepted NAME PLATFORM: is a disagreement of the two listed?
accepted()
{
	awk -v n="$1" -v p="$2" '$1 == n && ($2 == p || $2 == "any") { f = 1 } END { exit !f }' \
	    "$here/differences"
}

# verdict FILE STATUS PLATFORM NAME TEXT: one result, for the counting at the end.
verdict()
{
	echo "$2 $3 $4${5:+: $5}" >"$1"
	[ "$2" = pass ] || echo "$2 $3 $4${5:+: $5}"
}

# why STATUS ERRFILE: what a bad exit status means.
why()
{
	case $1 in
	124 | 137) echo "timed out after $seconds s" ;;
	99) echo "gave up: $(head -c 200 "$2" | tr '\n' ' ')" ;;
	*) echo "exit status $1 $(head -c 200 "$2" | tr '\n' ' ')" ;;
	esac
}

run_native()
{
	local name=$1 dir=$out/native prog=$out/bin/$1 status

	quiet_run "$dir/$name.out" "$dir/$name.err" "$prog"
	status=$?
	if [ $status = 77 ]; then
		verdict "$dir/$name.verdict" skip native "$name" "$(sed -n 's/^skip: //p' "$dir/$name.out")"
		return
	fi
	if [ $status != 0 ]; then
		verdict "$dir/$name.verdict" fail native "$name" "$(why $status "$dir/$name.err")"
		return
	fi
	quiet_run "$dir/$name.again" "$dir/$name.err" "$prog"
	if ! cmp -s "$dir/$name.out" "$dir/$name.again"; then
		verdict "$dir/$name.verdict" fail native "$name" "transcript is not stable"
		excerpt "$dir/$name.out" "$dir/$name.again" again
		return
	fi
	rm -f "$dir/$name.again"
	verdict "$dir/$name.verdict" pass native "$name"
}

run_inside()
{
	local p=$1 name=$2 dir=$out/$1 prog=$out/bin/$2 when=$patch platform=${1%%:*} status report bad=

	case $p in
	*:*) when=${p#*:} ;;
	esac

	sanitizer_begin "$dir/$name.san"
	quiet_run "$dir/$name.out" "$dir/$name.err" env VILLAGE_SANITIZER_LOG="$VILLAGE_SANITIZER_LOG" "$village" ${when:+--patch "$when"} "do" --platform "$platform" ${strace:+--strace} -- "$prog"
	status=$?
	if report=$(sanitizer_report); then
		verdict "$dir/$name.verdict" fail "$p" "$name" "$report"
		sanitizer_show
		return
	elif [ $status != 0 ]; then
		bad=$(why $status "$dir/$name.err")
	elif ! cmp -s "$out/native/$name.out" "$dir/$name.out"; then
		bad="transcript differs"
	fi
	if accepted "$name" "$platform"; then
		if [ -n "$bad" ]; then
			verdict "$dir/$name.verdict" pass "$p" "$name"
		else
			verdict "$dir/$name.verdict" fail "$p" "$name" "agrees now: remove it from differences"
		fi
	elif [ -n "$bad" ]; then
		verdict "$dir/$name.verdict" fail "$p" "$name" "$bad"
		excerpt "$out/native/$name.out" "$dir/$name.out" "$p"
	else
		verdict "$dir/$name.verdict" pass "$p" "$name"
	fi
}

# One program, start to end; lines are gathered so that those of two jobs do not mix.
run_one()
{
	local name=$1 p text

	text=$(
		prog=$out/bin/$name
		src=$here/$name.c
		if [ ! -e "$prog" ] || [ "$src" -nt "$prog" ] || [ "$here/guest.h" -nt "$prog" ]; then
			if ! ${CC:-gcc} -std=gnu11 -static -O1 -g -pthread -Wall -Wextra -Wno-unused-result \
			    -Wno-nonnull -Wno-override-init -Wno-format-truncation -Wno-deprecated-declarations -Wno-clobbered \
			    -I"$here" -o "$prog.new" "$src" -lrt 2>"$prog.log"; then
				verdict "$out/native/$name.verdict" fail native "$name" "does not compile"
				head -n 8 "$prog.log"
				exit
			fi
			[ -s "$prog.log" ] && head -n 8 "$prog.log"
			mv "$prog.new" "$prog"
		fi
		run_native "$name"
		[ -z "$native" ] && grep -q '^pass' "$out/native/$name.verdict" || exit
		for p in "${platforms[@]}"; do
			run_inside "$p" "$name"
		done
	)
	[ -z "$text" ] || printf '%s\n' "$text"
}

while [ $# -gt 0 ]; do
	case $1 in
	-p) [ $# -gt 1 ] || usage; platforms+=("$2"); shift 2 ;;
	-j) [ $# -gt 1 ] || usage; jobs=$2; shift 2 ;;
	--strace) strace=yes; shift ;;
	--patch) [ $# -gt 1 ] || usage; patch=$2; shift 2 ;;
	--native) native=yes; shift ;;
	-?*) usage ;;
	*) break ;;
	esac
done
[ $# -ge 2 ] || usage
village=$1
mkdir -p "$2" || exit 1
out=$(cd "$2" && pwd)
shift 2
[ ${#platforms[@]} -gt 0 ] || platforms=(systrap ptrace)
if [ -z "$native" ]; then
	[ -x "$village" ] || { echo "run.sh: $village: no such program" >&2; exit 1; }
	village=$(cd "$(dirname "$village")" && pwd)/$(basename "$village")
fi

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for src in "$here"/*.c; do
		names+=("$(basename "$src" .c)")
	done
fi
for name in "${names[@]}"; do
	[ -e "$here/$name.c" ] || { echo "run.sh: $name: no such guest program" >&2; exit 1; }
done

# The sandbox sees OUTDIR through its root, read-only or not; the programs need nothing else there.
mkdir -p "$out/bin" "$out/native"
rm -f "$out"/*/*.verdict
for p in "${platforms[@]}"; do
	mkdir -p "$out/$p"
done
ulimit -c 0
umask 022

running=0
for name in "${names[@]}"; do
	if [ "$running" -ge "$jobs" ]; then
		wait -n
		running=$((running - 1))
	fi
	run_one "$name" &
	running=$((running + 1))
done
wait

count()
{
	cat "$out"/*/*.verdict 2>/dev/null | grep -c "^$1 "
}

passed=$(count pass)
failed=$(count fail)
skipped=$(count skip)
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
