#!/bin/bash
# run.sh [-p systrap|ptrace]... [-q] VILLAGE
#
# Measures operations natively and in a sandbox and prints them side by side.  Default: both platforms.
# -q leaves start-up and idle measurements out.  A row that could not be measured says why.
#
# Anything else that runs on the machine shows in the figures, most of all in those where two threads
# take turns.  Where there is no idle machine, `chrt -r 1 tests/bench/run.sh ...` keeps others away.
set -u

here=$(cd "$(dirname "$0")" && pwd)
platforms=()
quick=
while getopts p:q opt; do
	case $opt in
	p) platforms+=("$OPTARG") ;;
	q) quick=1 ;;
	*) echo "usage: run.sh [-p systrap|ptrace]... [-q] VILLAGE" >&2; exit 1 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: run.sh [-p systrap|ptrace]... [-q] VILLAGE" >&2; exit 1; }
[ ${#platforms[@]} -gt 0 ] || platforms=(systrap ptrace)

tmp=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
# A file of its own: nobody else's sandboxes share its pages and make its memory look smaller.
village=$tmp/village
cp "$1" "$village" || exit 1
mkdir "$tmp/root" "$tmp/root/bin" "$tmp/root/tmp" "$tmp/root/proc" "$tmp/root/dev"
for prog in micro host; do
	${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -O2 -static -pthread -o "$tmp/$prog" "$here/$prog.c" || exit 1
done
printf 'int main(void) { return 0; }\n' >"$tmp/true.c"
${CC:-gcc} -O2 -static -o "$tmp/root/bin/true" "$tmp/true.c" || exit 1
printf '#include <unistd.h>\nint main(void) { sleep(60); return 0; }\n' >"$tmp/sleep.c"
${CC:-gcc} -O2 -static -o "$tmp/root/bin/sleep" "$tmp/sleep.c" || exit 1
cp "$tmp/micro" "$tmp/root/bin/micro"
# Scratch files on memory on both sides: /dev/shm natively, the overlay's upper layer inside.
scratch=/dev/shm
[ -w $scratch ] || scratch=$tmp

# table NATIVE SANDBOX: the lines of two runs side by side, in microseconds.
table()
{
	awk -F '\t' '
	function us(v) { return sprintf(v < 10000 ? "%.3f us" : "%.1f us", v / 1000) }
	FNR == NR { nat[$1] = $2; why[$1] = $3; next }
	{
		seen[$1] = 1
		if ($2 == "-" || !($1 in nat) || nat[$1] == "-")
			printf "%-34s %14s %14s\n", $1, ($1 in nat) && nat[$1] != "-" ? us(nat[$1]) : "-", \
			    $2 == "-" ? $3 : us($2)
		else
			printf "%-34s %14s %14s %8.2fx\n", $1, us(nat[$1]), us($2), $2 / nat[$1]
	}
	END { for (n in nat) if (!(n in seen)) printf "%-34s %14s %14s\n", n, us(nat[n]), "no result" }' "$1" "$2"
}

field()		# field FILE NAME: a value
{
	awk -F '\t' -v n="$2" '$1 == n { print $2 }' "$1"
}

# mark WHAT VALUE LIMIT UNIT: met or missed.
mark()
{
	awk -v w="$1" -v v="$2" -v l="$3" -v u="$4" 'BEGIN {
		r = v == "" || v == "-" || l == "" ? "not measured" : v + 0 <= l + 0 ? "met" : "missed"
		printf "mark: %-30s %10s, at most %s %s: %s\n", w, v == "" ? "-" : v, l == "" ? "-" : l, u, r }'
}

marks()
{
	local limit

	limit=$(awk -F '\t' '$2 != "-" { s += $2; n++ } END { if (n == 2) printf "%.0f", s * 1.5 }' "$tmp/floor")
	mark "null syscall" "$(field "$tmp/systrap" "null syscall (getppid)")" "$limit" ns
	mark "start to exit" "$(field "$tmp/start2" "start to exit")" 40000 us
	mark "PSS of sentry and gofer" "$(field "$tmp/idle" "sentry+gofer PSS")" 10240 KiB
	mark "idle CPU time per second" "$(field "$tmp/idle" "CPU time per second")" 20 us
}

printf '%s, %s cores, Linux %s\n' "$(uname -m)" "$(nproc)" "$(uname -r | sed 's/-.*//')"
{ timeout 10 "$tmp/host" sigsys; timeout 10 "$tmp/host" spin; } >"$tmp/floor"
awk -F '\t' '{ if ($2 == "-") printf "%-38s %s\n", $1, $3; else { printf "%-38s %8.0f ns\n", $1, $2; s += $2 } }
	END { if (s) printf "%-38s %8.0f ns\n", "null syscall, mark (1.5x of their sum)", s * 1.5 }' "$tmp/floor"
timeout 20 "$tmp/micro" "$scratch" >"$tmp/native" 2>"$tmp/err" || cat "$tmp/err"

for p in "${platforms[@]}"; do
	run=("$village" do --platform "$p" --rootfs "$tmp/root")
	printf '\n%-34s %14s %14s %9s\n' "== $p" native sandbox ratio
	: >"$tmp/start2"
	: >"$tmp/idle"
	timeout -k 2 30 "${run[@]}" -- /bin/micro /tmp </dev/null >"$tmp/$p" 2>"$tmp/err" ||
	    { echo "the sandbox ended with status $?"; head -5 "$tmp/err"; }
	table "$tmp/native" "$tmp/$p"
	[ -z "$quick" ] || continue

	timeout 10 "$tmp/host" start 20 "$tmp/root/bin/true" </dev/null >"$tmp/start0"
	timeout 20 "$tmp/host" start 20 "${run[@]}" -- /bin/true </dev/null >"$tmp/start1" 2>"$tmp/err"
	timeout 20 "$tmp/host" start 20 "$village" do --platform "$p" -- /bin/true </dev/null >"$tmp/start2" 2>>"$tmp/err"
	head -3 "$tmp/err"
	awk -F '\t' 'FNR == 1 { f++ }
	f == 1 { nat[$1] = $2; next }
	{ what = f == 2 ? "do true, static" : "do /bin/true, host root"; sub(/start to exit/, what, $1) }
	$2 == "-" { printf "%-34s %14s %14s\n", $1, "", $3; next }
	{ k = FNR == 1 ? "start to exit" : ""
	  printf "%-34s %14s %11.2f ms\n", $1, k == "" || f == 3 ? "" : sprintf("%.2f ms", nat[k] / 1000), $2 / 1000 }' \
	    "$tmp/start0" "$tmp/start1" "$tmp/start2"
	timeout 20 "$tmp/host" idle 3 "${run[@]}" -- /bin/sleep </dev/null >"$tmp/idle" 2>/dev/null
	awk -F '\t' '{ printf "%-34s %14s %10s %s\n", "idle: " $1, "", $2 == "-" ? "" : $2, $3 }' "$tmp/idle"
	[ "$p" != systrap ] || marks
done
