/*
 * lockdown: file capabilities only, no new privileges, the gofer's system-call filter.
 *
 * What stays lets it act on files of any owner, as the root of a container expects; nothing of
 * it reaches beyond the mounts that the namespace holds.
 */
#include "gofer/lockdown.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/hostcall.h"

static const cap_value_t kept[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP,
};

static int
drop_caps(void)
{
	cap_t now = cap_get_proc(), want = cap_init();
	int err = -EPERM;

	if (now == NULL || want == NULL)
		goto out;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			keep |= kept[i] == cap;
		/* Fails without CAP_SETPCAP: no_new_privs then has to be enough. */
		if (!keep)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &has) != 0 || has != CAP_SET)
			continue;
		if (cap_set_flag(want, CAP_PERMITTED, 1, &kept[i], CAP_SET) != 0 ||
		    cap_set_flag(want, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) != 0)
			goto out;
	}
	if (cap_set_proc(want) == 0)
		err = 0;
out:
	if (now != NULL)
		cap_free(now);
	if (want != NULL)
		cap_free(want);
	return err;
}

int
gofer_lockdown(void)
{
	int err;

	umask(0);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -EPERM;
	err = drop_caps();
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -EPERM;
	return filter_install(ROLE_GOFER);
}
