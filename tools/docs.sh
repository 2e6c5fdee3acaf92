#!/bin/sh
# docs.sh [--check] VILLAGE: writes the generated parts of docs/, or names those that are stale.
#
# docs/syscalls.md is whole from the binary.  Elsewhere a part lies between two lines of its file:
#
#	<!-- begin NAME: ... -->
#	<!-- end NAME -->
set -u
cd "$(dirname "$0")/.." || exit 1
check=
[ "${1:-}" = --check ] && { check=yes; shift; }
if [ $# != 1 ] || [ ! -x "$1" ]; then
	echo "usage: docs.sh [--check] VILLAGE" >&2
	exit 1
fi
village=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# place FILE: $tmp/new is what FILE should be.
place() {
	cmp -s "$tmp/new" "$1" && return
	if [ -n "$check" ]; then
		echo "$1: stale, run: make docs"
	else
		cat "$tmp/new" >"$1"
		echo "  DOC $1"
	fi
}

# part FILE NAME: $tmp/part goes between the markers.
part() {
	awk -v name="$2" -v part="$tmp/part" '
		$1 == "<!--" && $2 == "end" && $3 == name { skip = 0; ends++ }
		!skip { print }
		$1 == "<!--" && $2 == "begin" && $3 == name ":" {
			while ((getline line < part) > 0)
				print line
			skip = 1
		}
		END { exit ends != 1 }
	' "$1" >"$tmp/new" || { echo "$1: no place for $2"; return; }
	place "$1"
}

lock_table() {
	echo '| | rank | what it guards |'
	echo '| ---: | --- | --- |'
	sed -n 's/^LOCKRANK(\([a-z]*\), *"\(.*\)")$/\1|\2/p' base/lockrank.def |
	    awk -F'|' '{ printf "| %d | `%s` | %s |\n", NR, $1, $2 }'
}

gofer_table() {
	echo '| message | needs | what it does |'
	echo '| --- | --- | --- |'
	awk -F', *' '
		/^GOFER_CALL\(/ { name = $2; right = tolower($3) }
		/^\t".*"\)$/ && name != "" {
			text = $0
			sub(/^\t"/, "", text)
			sub(/"\)$/, "", text)
			printf "| `%s` | %s | %s |\n", name, right, text
			name = ""
		}' gofer/proto.def
}

"$village" syscalls --markdown >"$tmp/new" && place docs/syscalls.md
{ echo '```'; "$village" debug host-syscalls | sed 's/ *$//'; echo '```'; } >"$tmp/part" && part docs/security.md host-calls
lock_table >"$tmp/part" && part docs/locking.md ranks
gofer_table >"$tmp/part" && part docs/gofer.md messages
exit 0
