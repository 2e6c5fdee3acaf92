# A bug in the sentry: the report says where and what was going on, the sandbox ends and nothing stays.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

VILLAGE_FAULT=nonsense inside -- /bin/true
[ "$status" != 0 ] || skip "this build has no test hooks"

for platform in systrap ptrace; do
	for what in bug segv; do
		VILLAGE_FAULT=$what:300 inside --platform $platform -- /bin/sh -c \
		    'sleep 50 | cat & echo begun; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do /bin/true; done; echo survived'
		is_status 70 "$platform, $what: the status"
		is_out "begun" "$platform, $what: what the guest wrote before"
		err_has "internal error: " "$platform, $what: the message"
		err_has "#2 0x[0-9a-f]+" "$platform, $what: a backtrace"
		err_has ">> task [0-9]+ of [0-9]+ R [a-z]+ in [a-z_0-9]+\(" "$platform, $what: the task at fault"
		err_has "last calls:.* [a-z_0-9]+=0" "$platform, $what: its last calls"
		err_has "task [0-9]+ of [0-9]+ S sleep in clock_nanosleep.* waiting: nanosleep" "$platform, $what: the other tasks"
		ok "$platform, $what: nothing left" until_ok none_left
	done
done

# a container: stopped, with a status; delete finds nothing to trip over
make_bundle "$WORK/b" '[ "/bin/sh", "-c", "sleep 0.3; for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; sleep 50" ]'
VILLAGE_FAULT=bug:200 oci create --bundle "$WORK/b" broken
is_status 0 "create"
oci start broken
is_status 0 "start"
stopped()
{
	"$VILLAGE" --root "$WORK/state" state broken | grep -q '"stopped"'
}
ok "the container is stopped" until_ok stopped
ok "no process is left" until_ok none_left
oci delete broken
is_status 0 "delete"
oci state broken
is_status 1 "state after delete"
ok "no state is left" test -z "$(ls -A "$WORK/state")"

# the same, waited for
VILLAGE_FAULT=bug:200 oci run --bundle "$WORK/b" broken
is_status 70 "run"
err_has "internal error" "run: the report"
ok "run: nothing left" until_ok none_left
ok "run: no state is left" test -z "$(ls -A "$WORK/state")"
