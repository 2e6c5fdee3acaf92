# sanitizer.sh: the reports of MODE=asan and MODE=tsan, for the runners that source this.
#
# Every process of a sandbox appends its report to the file that VILLAGE_SANITIZER_LOG names
# (base/sanitize.h).  Standard error may belong to the container, and the exit status to a process
# that reported nothing, so a runner asks that file when all have ended.  Other builds leave it empty.
# shellcheck shell=bash

# sanitizer_begin FILE: what starts from here on reports there, whoever it runs as.
sanitizer_begin()
{
	export VILLAGE_SANITIZER_LOG=$1
	: >"$1"
	chmod 666 "$1"
}

# sanitizer_report: was there one?  If so, a line about it.
sanitizer_report()
{
	[ -s "$VILLAGE_SANITIZER_LOG" ] || return 1
	grep -am1 'SUMMARY\|runtime error' "$VILLAGE_SANITIZER_LOG" || head -n 1 "$VILLAGE_SANITIZER_LOG"
}

# sanitizer_show: the first of the reports whole, as a rule.
sanitizer_show()
{
	head -n 80 "$VILLAGE_SANITIZER_LOG" | sed 's/^/    /' | cut -c1-200
}
