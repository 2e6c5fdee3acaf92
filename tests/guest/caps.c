/* Capabilities: capget, capset, what changing ids does to them, securebits, bounding and ambient sets. */
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

struct sets {
	struct __user_cap_data_struct	d[2];
};

static struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };

/* The three capabilities that this program looks at: chown, kill, setuid. */
static const char *
three(unsigned v)
{
	char *b = g_buf();

	sprintf(b, "%c%c%c", v & 1 << CAP_CHOWN ? 'c' : '-', v & 1 << CAP_KILL ? 'k' : '-', v & 1 << CAP_SETUID ? 's' : '-');
	return b;
}

static void
caps(const char *what)
{
	struct sets s;

	hdr.pid = 0;
	if (Q(capget, &hdr, s.d) < 0)
		die("capget");
	P("%s: e %s p %s i %s", what, three(s.d[0].effective), three(s.d[0].permitted), three(s.d[0].inheritable));
}

static long
set(unsigned e, unsigned p, unsigned i)
{
	struct sets s = { { { e, p, i }, { 0, 0, 0 } } };

	hdr.pid = 0;
	return Q(capset, &hdr, s.d);
}

#define C	(1u << CAP_CHOWN)
#define K	(1u << CAP_KILL)
#define U	(1u << CAP_SETUID)

int
main(int argc, char **argv)
{
	struct __user_cap_header_struct h = { 0x1234, 0 };
	struct sets s;

	if (argc > 1) {
		caps(argv[1]);
		return 0;
	}
	S(capget, &h, NULL);
	P("version told %#x", h.version);
	h.version = 0x1234;
	S(capget, &h, s.d);
	S(capget, BAD, s.d);
	h = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, -1 };
	S(capget, &h, s.d);
	h.pid = 0x7fffffff;
	S(capget, &h, s.d);
	h = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0 };
	S(capget, &h, BAD);
	h = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_1, 0 };
	S(capget, &h, s.d);
	P("start %s", wst(CHILD(
		P("set: %s", res(set(C | K | U, C | K | U, 0)));
		caps("now");
		P("drop one: %s", res(set(C, C | K, K)));
		caps("now");
		P("regain: %s", res(set(C | K, C | K, 0)));
		P("more: %s", res(set(C | U, C | K | U, 0)));
		P("effective beyond permitted: %s", res(set(C | U, C | K, 0)));
		caps("still");
	)));
	h.version = _LINUX_CAPABILITY_VERSION_3;
	h.pid = 1;
	P("another process: %s", wst(CHILD(h.pid = getppid(); P("%s", res(Q(capset, &h, s.d))))));
	P("setuid drops all: %s", wst(CHILD(setuid(600); caps("now"))));
	P("seteuid drops effective: %s", wst(CHILD(setresuid(-1, 600, -1); caps("now"); setresuid(-1, 0, -1); caps("back"))));
	P("keepcaps: %s", wst(CHILD(
		T(prctl(PR_GET_KEEPCAPS));
		T(prctl(PR_SET_KEEPCAPS, 2));
		T(prctl(PR_SET_KEEPCAPS, 1));
		setuid(600);
		caps("now");
		P("raise: %s", res(set(C, C, 0)));
		caps("now");
		put("/tmp/guest-caps", "");
		P("chown works: %s", res(lib(chown("/tmp/guest-caps", 601, 601))));
		unlink("/tmp/guest-caps");
	)));
	unlink("/tmp/guest-caps");
	P("securebits: %s", wst(CHILD(
		T(prctl(PR_GET_SECUREBITS));
		T(prctl(PR_SET_SECUREBITS, 0x1000));
		T(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
		T(prctl(PR_GET_SECUREBITS));
		setuid(600);
		caps("kept");
		T(prctl(PR_SET_SECUREBITS, 0));
		T(prctl(PR_SET_KEEPCAPS, 1));
		set(0, 0, 0);
		T(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NOROOT));
	)));
	P("exec as root: %s", wst(CHILD(set(0, C | K, 0); execl("/proc/self/exe", "x", "after exec", NULL))));
	P("exec with noroot: %s", wst(CHILD(
		prctl(PR_SET_SECUREBITS, SECBIT_NOROOT);
		execl("/proc/self/exe", "x", "after exec", NULL);
	)));
	P("bounding set: %s", wst(CHILD(
		T(prctl(PR_CAPBSET_READ, CAP_KILL));
		T(prctl(PR_CAPBSET_READ, 200));
		T(prctl(PR_CAPBSET_DROP, 200));
		T(prctl(PR_CAPBSET_DROP, CAP_KILL));
		T(prctl(PR_CAPBSET_READ, CAP_KILL));
		caps("permitted stays");
		P("inheritable: %s", res(set(C | K | U, C | K | U, K)));
		execl("/proc/self/exe", "x", "after exec", NULL);
	)));
	P("ambient: %s", wst(CHILD(
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		set(C | K | U | 1u << CAP_SETPCAP, C | K | U | 1u << CAP_SETPCAP, C);
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 1, 0));
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
		prctl(PR_SET_KEEPCAPS, 1);
		setresuid(600, 600, 600);
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		execl("/proc/self/exe", "x", "after exec", NULL);
	)));
	P("ambient cleared: %s", wst(CHILD(
		set(C, C | 1u << CAP_SETPCAP, C);
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
		T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
		T(prctl(PR_CAP_AMBIENT, 99, 0, 0, 0));
	)));
	P("no_new_privs: %s", wst(CHILD(
		T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		T(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
		T(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
		T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		P("child: %s", wst(CHILD(T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)))));
	)));
	return 0;
}
