# work.sh: programs at work; run.sh reads it in.
#
# A script runs in a fresh shell natively and in a fresh sandbox over the same root, in turns.  It tells when it is up,
# prepares its files, waits for a word, works, tells that it is done, and waits for its input's end.  So what the work
# took is known apart from the start and end of shell and sandbox ("whole": with these, without the preparation).
# shellcheck disable=SC2154 # run.sh has set rows, tmp, view, inside; group.sh has group and what belongs to it

work_rounds=5

# row NAME SIDE MICROSECONDS
row()
{
	awk -v OFS='\t' -v n="$1" -v side="$2" -v us="$3" 'BEGIN { print n, side, us / 1e6, "s" }' >>"$rows"
}

# once SIDE NAME PREPARE WORK COMMAND...: COMMAND runs a script that is its last argument.
once()
{
	local side=$1 name=$2 word from to now cpu wall=() used=() pid at
	local script="cd /tmp; export HOME=/tmp LC_ALL=C PATH=/usr/bin:/bin; echo up; { $3
} </dev/null >/dev/null 2>&1; echo ready; read go; { $4
} </dev/null >/dev/null; echo \"done \$?\"; read go"

	stamp
	wall+=("$now") used+=("$cpu")
	coproc { group_enter; exec timeout -k 2 60 "${@:5}" "$script" 2>>"$tmp/err"; }
	# shellcheck disable=SC2153 # the shell sets it
	pid=$COPROC_PID
	exec {from}<&"${COPROC[0]}" {to}>&"${COPROC[1]}"
	eval "exec ${COPROC[0]}<&- ${COPROC[1]}>&-"
	for at in up ready "done 0"; do
		if ! read -r word <&"$from" || [ "$word" != "$at" ]; then
			printf '%s\t%s\t-\t%s\n' "$name" "$side" "not $at: $word $(tail -n 1 "$tmp/err")" >>"$rows"
			break
		fi
		stamp
		wall+=("$now") used+=("$cpu")
		[ "$at" != ready ] || echo go >&"$to"
	done
	exec {from}<&- {to}>&-
	wait "$pid"
	now=${EPOCHREALTIME/./}
	wall+=("$now")
	group_settle
	stamp
	used+=("$cpu")
	[ ${#wall[@]} -eq 5 ] || return
	row "$name" "$side" $((wall[3] - wall[2]))
	row "$name, whole" "$side" $((wall[4] - wall[2] + wall[1] - wall[0]))
	[ -n "$group" ] || { printf '%s\t%s\t-\t%s\n' "$name, CPU" "$side" "$group_why" >>"$rows"; return; }
	row "$name, CPU" "$side" $((used[3] - used[2]))
	row "$name, whole CPU" "$side" $((used[4] - used[2] + used[1] - used[0]))
}

# work NAME PREPARE WORK
work()
{
	local i

	for ((i = 0; i < work_rounds; i++)); do
		# As empty as a new sandbox's.
		umount "$view/tmp" && mount -t tmpfs -o mode=1777 tmpfs "$view/tmp" || return
		once native "$1" "$2" "$3" chroot "$view" /bin/sh -c
		once sandbox "$1" "$2" "$3" "${inside[@]}" -- /bin/sh -c
	done
}

: >"$tmp/err"
work "300 forks of /bin/true by dash" : \
    'i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done'
work "make -j2 of 24 C files" 'mkdir src; cd src; i=0; while [ $i -lt 24 ]; do
	printf "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f%d(const char *s)\n{\n\tprintf(\"%%zu\\\\n\", strlen(s));\n\treturn atoi(s) + %d;\n}\n" $i $i >f$i.c
	i=$((i+1)); done
	printf "int main(void) { return 0; }\n" >main.c
	printf "CFLAGS = -O1\nprog: \$(patsubst %%.c,%%.o,\$(wildcard *.c))\n\tgcc -o \$@ \$^\n" >Makefile' \
    'make -s -j2'
work "10 starts of python3" 'python3 -c pass' \
    'for i in 1 2 3 4 5 6 7 8 9 10; do python3 -c pass || exit 1; done'
work "git add+commit+status, 2000 files" 'git init -q r; cd r; git config user.name u; git config user.email u@h
	for d in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
		mkdir d$d; i=0; while [ $i -lt 100 ]; do echo $d $i >d$d/f$i; i=$((i+1)); done; done' \
    'git add . && git commit -qm all && git status'
work "sqlite3, 600 commits" '{ echo "create table t(a, b);"; i=0; while [ $i -lt 600 ]; do
	echo "insert into t values($i, $i);"; i=$((i+1)); done; } >/tmp/in' \
    'sqlite3 /tmp/db </tmp/in'
work "5 times find /usr, warm" 'find /usr' \
    'for i in 1 2 3 4 5; do find /usr; done'
