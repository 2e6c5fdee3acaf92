#!/bin/bash
# steady.sh [-v] VILLAGE ROOT [NAME...]: do the calls of programs at work still trap?
#
# A program's first calls trap: every place that makes one has to be met a few times before it is patched.  What
# counts is the steady state, so each script runs twice over ROOT (rootfs.sh makes it), with a few rounds of its loop
# and with four times as many, and the calls that the longer run has more of are looked at: at most one in a hundred
# of them may have trapped.  Calls that stubs answer are left out: their number is the guest's word.  -v also shows
# what was refused.  Ends with "N passed, M failed".
set -u

verbose=
[ "${1:-}" = -v ] && { verbose=yes; shift; }
if [ $# -lt 2 ]; then
	echo "usage: steady.sh [-v] VILLAGE ROOT [NAME...]" >&2
	exit 1
fi
village=$1
root=$2
shift 2
work=$(mktemp -d "${TMPDIR:-/tmp}/village-steady.XXXXXX")
trap 'rm -rf "$work"' EXIT
made=$("$(dirname "$0")/made.sh") || exit 1
passed=0 failed=0

# add NAME ROUNDS SCRIPT: the rounds of the short run, and what makes $N of them.
declare -A rounds scripts
names=()
add()
{
	names+=("$1")
	rounds[$1]=$2
	scripts[$1]=$3
}

files='mkdir d; i=0; while [ $i -lt $N ]; do echo $i >d/$i; i=$((i+1)); done;'
add dash 300 'i=0; while [ $i -lt $N ]; do read x </etc/passwd; [ -e /etc/group ]; echo $x >/dev/null; i=$((i+1)); done'
add bash 300 'exec bash -c "for ((i = 0; i < N; i++)); do read -r x </etc/passwd; [[ -e /etc/group ]]; echo \$x >/dev/null; done"'
add dd 3000 'dd if=/dev/zero of=/tmp/file bs=100 count=$N 2>/dev/null'
add cat 300 "$files"' cat d/* >/dev/null'
add ls 500 "$files"' ls -l --color=always d >/dev/null'
add find 300 'mkdir d; cd d; seq $N | xargs -n 5000 mkdir; find . -newer /etc/passwd >/dev/null'
add cp 300 "$files"' cp -a d e; rm -r e'
add python 500 'exec python3 -c "
import os
for i in range(int(os.environ[\"N\"])):
    os.stat(\"/etc\"); os.listdir(\"/etc\"); os.getpid(); os.getppid()
    open(\"/tmp/f\", \"w\").write(\"x\" * 100)
    open(\"/tmp/f\").read()
    r, w = os.pipe(); os.write(w, b\"x\"); os.read(r, 1); os.close(r); os.close(w)
    os.rename(\"/tmp/f\", \"/tmp/g\"); os.unlink(\"/tmp/g\")
"'
add python_threads 100 'exec python3 -c "
import os, threading, queue
q, a = queue.Queue(), queue.Queue()
def serve():
    while True:
        x = q.get()
        if x is None: break
        a.put(os.stat(x).st_mode)
t = [threading.Thread(target=serve) for i in range(4)]
[x.start() for x in t]
for i in range(int(os.environ[\"N\"])):
    for k in range(8): q.put(\"/etc\")
    for k in range(8): a.get()
[q.put(None) for x in t]
"'
add gcc 500 'i=0; while [ $i -lt $N ]; do echo "int f$i;" >h$i.h; echo "#include \"h$i.h\""; i=$((i+1)); done >a.c; gcc -c a.c'
add git 200 'export HOME=/tmp; git init -q r 2>/dev/null; cd r; git config user.name u; git config user.email u@h
i=0; while [ $i -lt $N ]; do echo $i >f$i; i=$((i+1)); done; git add .; git commit -qm all; git status >/dev/null; git diff HEAD'
add sqlite 200 'i=0; { echo "create table t(a, b);"; while [ $i -lt $N ]; do echo "insert into t values($i, $i);"; i=$((i+1)); done; } | sqlite3 /tmp/db
sqlite3 /tmp/db "select count(*) from t"'
add musl_sh 300 'exec /made/busybox-musl sh -c "i=0; while [ \$i -lt \$N ]; do read x </etc/passwd; [ -e /etc/group ]; echo \$x >/dev/null; i=\$((i+1)); done"'
add musl_dd 3000 'exec /made/busybox-musl dd if=/dev/zero of=/tmp/file bs=100 count=$N 2>/dev/null'
add musl_cp 300 'exec /made/busybox-musl sh -c "$files cp -r d e; ls -l e >/dev/null; find d -newer /etc/passwd >/dev/null; grep -r 7 d >/dev/null; rm -r e"'
add go 200 'exec /made/go-io'

# counted FILE TEXT: the number of that line.
counted()
{
	sed -n "s/^ *$2: \([0-9]*\)\$/\1/p" "$1"
}

# one NAME N: runs it; calls and trapped are what it took.
one()
{
	local log=$work/$1.$2

	if ! timeout 120 "$village" "do" --rootfs "$root" --volume "$made:/made:ro" --cwd /tmp --env "N=$2" --env "files=$files" \
	    --report -- /bin/sh -c "${scripts[$1]}" \
	    >"$log.out" 2>"$log" </dev/null; then
		echo "fail $1: $(head -n 1 "$log")"
		return 1
	fi
	calls=$(counted "$log" "calls that came to the kernel")
	trapped=$(counted "$log" "of these, calls that trapped")
	[ -n "$calls" ] && [ -n "$trapped" ]
}

[ $# -gt 0 ] && names=("$@")
for name in "${names[@]}"; do
	[ -n "${scripts[$name]:-}" ] || { echo "steady.sh: $name: no such script" >&2; exit 1; }
	many=$((4 * rounds[$name]))
	if ! one "$name" "${rounds[$name]}"; then
		failed=$((failed + 1))
		continue
	fi
	calls0=$calls trapped0=$trapped
	if ! one "$name" $many; then
		failed=$((failed + 1))
		continue
	fi
	more=$((calls - calls0))
	bad=$((trapped - trapped0))
	[ $bad -ge 0 ] || bad=0
	verdict=pass
	if [ $more -le 0 ] || [ $((bad * 100)) -ge $more ]; then
		verdict=fail
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
	echo "$verdict $name: of $more more calls $bad trapped; in all $trapped of $calls"
	if [ -n "$verbose" ] || [ $verdict = fail ]; then
		sed -n '/call sites refused/,$p' "$work/$name.$many" | cut -c1-170
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
