# village do on a terminal.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v script >/dev/null || skip "script(1) is not installed"

# on_tty COMMAND [INPUT-PRODUCING COMMAND]: runs it on a terminal of its own; carriage returns are removed.
on_tty()
{
	eval "${2:-:}" | timeout -k 2 "${LIMIT:-20}" script -qefc "$1" /dev/null >"$WORK/.tty" 2>&1
	status=$?
	out=$(tr -d '\r' <"$WORK/.tty")

}

do_="$VILLAGE do --rootfs $ROOT --"
on_tty "$do_ /bin/sh -c 'tty; test -t 0 && test -t 1 && echo terminal'" "sleep 1"
out_has '^/dev/(pts/[0-9]+|console|tty)' "it has a name"
out_has '^terminal$' "it is a terminal"
on_tty "stty rows 33 cols 77; $do_ /bin/stty size" "sleep 1"
out_has '^33 77$' "window size"
on_tty "$do_ /bin/sh -c 'exit 6'" "sleep 1"
equal "$status" 6 "exit status"
on_tty "$do_ /bin/cat" "sleep 1; printf 'typed\n'; sleep 0.5; printf '\004'; sleep 0.5"
equal "$(grep -c '^typed$' <<<"$out")" 2 "echoed and read, ^D ends it"
on_tty "$do_ /bin/sh -c 'trap \"echo interrupted; exit 3\" INT; echo ready; while :; do sleep 0.1; done'" "sleep 1; printf '\003'; sleep 1"
out_has 'interrupted' "^C"
equal "$status" 3 "^C: exit status"
on_tty "$do_ /bin/sh -c 'sleep 100; echo after \$?'" "sleep 1; printf '\003'; sleep 1"
ok "^C ends a sleep" test "$status" != 124
on_tty "$do_ /bin/sh -i" "sleep 1; printf 'echo one\$((1+1))three\n'; sleep 0.5; printf 'exit 4\n'; sleep 0.5"
out_has '^one2three$' "an interactive shell"
equal "$status" 4 "an interactive shell's status"
on_tty "$do_ /bin/sh -ic 'sleep 100'" "sleep 1; printf '\032'; sleep 0.5; printf '\003'; sleep 0.5"
ok "^Z and ^C do not hang it" test "$status" != 124
on_tty "$do_ /bin/true; stty -a" "sleep 1"
out_has '[^-]icanon' "the terminal is canonical again afterwards"
out_has '[^-]echo ' "and echoes"
out=$(timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/tty </dev/null 2>&1)
equal "$out" "not a tty" "no terminal without one"
