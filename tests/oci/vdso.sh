# The clock is read without a system call where the host has a vDSO to take along, and by one where it has none.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

# look PLATFORM: the date, and what calls it took.
look()
{
	local before

	before=$(date +%s)
	inside --platform "$1" --strace -- /bin/date +%s
	is_status 0 "$1: date"
	ok "$1: the date is that of the run" test "$out" -ge "$before" -a "$out" -le "$(date +%s)"
	calls=$(grep -cE ' (time|gettimeofday|clock_gettime)\(' <<<"$err")
}

for platform in systrap ptrace; do
	look $platform
	if grep -q '\[vdso\]' /proc/self/maps; then
		equal "$calls" 0 "$platform: calls that ask for the time"
	fi
	# Guests see one vDSO, their own; the stub's is nothing that they have.
	inside --platform $platform -- /bin/cat /proc/self/maps
	equal "$(grep -c vdso <<<"$out")" 1 "$platform: a vDSO in /proc/self/maps"
	if grep -qE 'vvar|^7ffff[0-9a-f]{7}-' <<<"$out"; then
		fail "$platform: /proc/self/maps shows the stub: $out"
	else
		pass
	fi
done

# Only builds with test hooks can be told to do without.
VILLAGE_FORBIDDEN=none inside -- /bin/true
case $status in
0) exit 0 ;;
esac
export VILLAGE_NO_VDSO=1
for platform in systrap ptrace; do
	look $platform
	ok "$platform: without the host's vDSO there is a call" test "$calls" -ge 1
done
