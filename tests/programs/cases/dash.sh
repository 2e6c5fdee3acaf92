# The shell of scripts: pipelines, here-documents, substitution, jobs, traps, wait, set -e.
. /cases/lib
echo one | tr a-z A-Z | sed 's/N/n/'
cat <<END
a here-document with $((6 * 7)) and $(echo nested $(echo deeper))
END
cat <<'END'
a quoted one with $HOME
END
x=$(printf 'a\nb\n\n\n'); echo "[$x]"
echo "status of a pipeline:"; false | true; echo $?
true | false; echo $?
(exit 7); echo $?
f() { local a=1; echo "in f $a $1"; return 4; }
f x; echo $?
for i in 1 2 3; do
	sleep 0.0$i &
done
wait; echo "all done $?"
(sleep 0.05; exit 3) & p=$!
wait $p; echo "job $?"
sleep 10 & p=$!
kill $p; wait $p; echo "killed $?"
trap 'echo got USR1' USR1
kill -USR1 $$
echo after
trap - USR1
(trap 'echo bye' EXIT; echo in subshell; exit 2); echo $?
(trap '' TERM; kill -TERM $(exec sh -c 'echo $PPID'); echo survived)
sh -c 'set -e; echo before; false; echo never'; echo "set -e: $?"
sh -c 'set -e; if false; then :; fi; false || true; echo still'; echo $?
sh -c 'set -u; echo $undefined_variable' 2>/dev/null; echo "set -u: $?"
sh -c 'exit 300'; echo $?
sh -c 'kill -KILL $$'; echo $?
exec 3>out; echo to three >&3; exec 3>&-; cat out
{ echo err >&2; echo out; } 2>&1 | sort
i=0; while read -r line; do i=$((i + 1)); done </etc/passwd; echo $((i > 10))
n=0; while [ $n -lt 300 ]; do n=$((n + 1)); done; echo $n
n=0; while [ $n -lt 40 ]; do n=$((n + 1)); /bin/true; done; echo $n forks
echo a b c | while read -r a b c; do echo "$c $b $a"; done
echo *.none /cases/l?b /cases/li[a-c]
case abc in a*c) echo match;; esac
set -- a "b c" d; echo $# "$2"; shift; echo "$*"
printf '%s:%05d:%x\n' str 42 255
test -d /etc -a -r /etc/passwd && echo tested
[ 1 -lt 2 ] && ! [ a = b ] && echo and
eval 'v=5; echo $v'
command -v ls
umask; umask 077; : >private; stat -c %a private
ulimit -n 64; ulimit -n
(ulimit -f 1; dd if=/dev/zero of=big bs=1k count=10 2>/dev/null); echo "file limit $?"
(cd / && pwd); pwd
yes | head -n 3
mkfifo fifo; cat fifo & echo through the fifo >fifo; wait
echo done
