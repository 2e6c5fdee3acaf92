# A host that has no time for the zygote at first: asking whether it lives must not end it. Debug builds only.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

export VILLAGE_SLOW_ZYGOTE=1
for platform in systrap ptrace; do
	start=$(date +%s%N)
	inside --platform $platform -- /bin/echo here
	is_status 0 "$platform: a zygote that is late"
	is_out here "$platform: a zygote that is late"
	ok "$platform: it was late" test $((($(date +%s%N) - start) / 1000000)) -ge 1000
done
