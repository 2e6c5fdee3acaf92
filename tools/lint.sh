#!/bin/sh
# House rules that a compiler does not check. Each rule counts as one test.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
ours="base abi platform sentry fs netstack gofer runtime"

rule() {	# name, offending lines
	if [ -n "$2" ]; then
		printf 'lint: %s\n%s\n' "$1" "$2"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

# shellcheck disable=SC2086 # a list of folders
files() { find $ours -name '*.c' -o -name '*.h' | sort; }

# Every option that the help of a command names has a line in the manual page.
man_gaps() {
	{ build/dev/village help; sed -n 's/^COMMAND("\([a-z]*\)".*/\1/p' runtime/commands.def |
	    while read -r c; do build/dev/village "$c" --help; done; } |
	    sed -n 's/^ *\(-[A-Za-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' | sort -u |
	    while read -r o; do grep -qE -e "Fl -$o( |\$)" docs/village.1 || echo "--$o"; done
}

rule "files over 1,000 lines" "$(files | xargs wc -l | awk '$2 != "total" && $1 > 1000 {print $2 ": " $1}')"
rule "malloc outside the start of a process" "$(files | grep -v '^runtime/\|^gofer/' | xargs grep -nE '[^_a-z](malloc|calloc|realloc|strdup)\(' /dev/null)"
rule "pthread outside its home" "$(files | grep -v '^base/lock\|^base/sanitize\|^sentry/kernel/wait\.c\|^platform/reaper\.c' | xargs grep -nE '[^_a-z]pthread_' /dev/null | grep -v '^[^:]*:[0-9]*: \*')"
rule "a guest address opened outside sentry/mm" "$(files | grep -v '^sentry/mm/\|^abi/gaddr' | xargs grep -nE '\.va\b' /dev/null | grep -v 'cmd\|\bc->\|->va\|^platform/' )"
rule "strcpy, strcat, sprintf" "$(files | xargs grep -nE '[^_a-z](strcpy|strcat|sprintf|gets)\(' /dev/null)"
rule "sentry code that includes gofer or runtime" "$(grep -rnE '#include "(gofer|runtime)/' base abi platform sentry netstack --include=*.c --include=*.h | grep -v 'gofer/proto')"
rule "base that includes upper layers" "$(grep -rnE '#include "(sentry|fs|netstack|platform|gofer|runtime)/' base --include=*.c --include=*.h | grep -v 'platform/stub')"
rule "paths of one machine" "$(git grep -nE '/work/|/root/' -- . ':!tools/lint.sh' ':!docs' ':!tests' 2>/dev/null)"
rule "lines over 200 columns" "$(files | xargs awk 'length($0) > 200 {print FILENAME ":" FNR}')"
if command -v shellcheck >/dev/null 2>&1; then
	rule "shell scripts" "$(git ls-files '*.sh' .ci/run | xargs shellcheck -e SC1010,SC2016,SC2148,SC1091,SC2015,SC1007 -f gcc 2>/dev/null)"
fi
# Only a build without sanitizers: their calls are not in the table.
if [ -x build/dev/village ]; then
	rule "generated documentation" "$(tools/docs.sh --check build/dev/village)"
	rule "options that docs/village.1 does not name" "$(man_gaps)"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
