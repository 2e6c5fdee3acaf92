# Run by bash.sh.
# shellcheck shell=bash disable=SC2034,SC2329,SC2317
a=(one "two words" three); echo "${#a[@]} ${a[1]}"
declare -A m=([k]=v [x]=y); echo "${m[k]}${m[x]}"
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo $?
while read -r x; do echo "read $x"; done < <(seq 3)
tee >(cat >copy) <<<"a here-string"; sleep 0.1; cat copy
echo {1..5} {a,b}{x,y}
[[ abc =~ ^a(.)c$ ]] && echo "${BASH_REMATCH[1]}"
coproc C { while read -r l; do echo "co $l"; done; }
echo hi >&"${C[1]}"; read -r r <&"${C[0]}"; echo "$r"
eval "exec ${C[1]}>&-"; wait "$C_PID" 2>/dev/null; echo "coproc $?"
set -o pipefail; false | true; echo "pipefail $?"; set +o pipefail
false | true | (exit 3); echo "${PIPESTATUS[*]}"
trap 'echo err at a line' ERR; false; trap - ERR
f() { echo "${FUNCNAME[0]} $*"; }; f x
(sleep 0.05; exit 4) & (sleep 0.15; exit 5) &
wait -n; echo "first $?"; wait -n; echo "second $?"
set -m
sleep 5 & jobs -r | sed 's/  */ /g'; kill %1; wait %1; echo "job $?"
(exit 6) & wait %%; echo $?
sleep 5 & p=$!; kill -STOP $p; sleep 0.1; kill -CONT $p; kill $p
while kill -0 $p 2>/dev/null; do sleep 0.02; done	# until bash has seen its end: wait answers for a stopped job too
wait $p; echo "stopped and killed $?"
set +m
trap 'echo child' CHLD; (exit 0); sleep 0.02 & wait; trap - CHLD
printf -v s '%(%Y)T' 0; echo "$s"
read -r -t 0.1 z < <(sleep 1); echo "read timed out $(($? > 128))"
exec {fd}>numbered; echo x >&"$fd"; exec {fd}>&-; cat numbered
mapfile -t l < <(seq 100); echo "${#l[@]} ${l[99]}"
echo "$((16#ff)) $((2 ** 40))"
x=abcdef; echo "${x:2:3} ${x/cd/X} ${x^^} ${x%f}"
shopt -s extglob globstar nullglob; mkdir -p d/e/f; touch d/1 d/e/2 d/e/f/3; echo d/**
time_out=$( { TIMEFORMAT=%0R; time sleep 0.01; } 2>&1 ); echo "time $time_out"
bash -c 'kill -SEGV $$' 2>/dev/null; echo $?
bash -c 'trap "echo term; exit 9" TERM; kill $$; sleep 5'; echo $?
suspend_test=$(bash -c 'echo $BASHPID; echo $$' | uniq | wc -l); echo "$suspend_test"
for i in {1..30}; do x=$(echo "$i"); echo "$x"; done | tail -n 1
