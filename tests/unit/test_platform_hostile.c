/*
 * platform: hostile guest code, and stubs that are killed: the sentry and its other guests do not notice.
 */
#include "base/sanitize.h"
#include "platform/patch.h"
#include "platform/sites.h"
#include "tests/unit/guestcode.h"

START_TEST(test_no_call_escapes)
{
	START(native);
	/* futex, rt_sigreturn, exit, exit_group, mmap: made from guest code, each is only a stop. */
	RUN_SYSCALL(202);
	RUN_SYSCALL(15);
	RUN_SYSCALL(60);
	RUN_SYSCALL(231);
	RUN_SYSCALL(9);
	END();
}
END_TEST

/* The host's vDSO: nothing of it can be written, and its system calls are the guest's own. */
START_TEST(test_host_vdso_hostile)
{
	const char *code = (const char *)getauxval(AT_SYSINFO_EHDR), *at;
	uint64_t there;

	START(store);
	if (code == NULL)
		return;
	there = platform_vdso("__vdso_clock_gettime") - hostvdso_symbol(code, "__vdso_clock_gettime");
	for (uint64_t va = STUB_VDSO; va <= STUB_NOWHERE; va += 0x1000) {
		r.rip = CODE;
		r.rdi = va;
		run_guest(c, &r, &st);
		ck_assert_int_eq(st.kind, STOP_FAULT);
		ck_assert_int_eq(st.signo, SIGSEGV);
		ck_assert(va >= there + 0x1000 || st.code == SEGV_ACCERR);
	}
	ck_assert_int_eq(fill(s, g_jump, g_jump_end), 0);
	for (at = code; (at = memmem(at, 0x1000 - (size_t)(at - code), "\x0f\x05", 2)) != NULL; at += 2) {
		static const uint64_t calls[] = { SYS_exit_group, SYS_munmap, SYS_futex, SYS_getpid };

		for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
			r = start_regs();
			r.rdi = there + (uint64_t)(at - code);
			r.rax = calls[i];
			RUN_SYSCALL(calls[i]);
			ck_assert_uint_eq(r.rip, there + (uint64_t)(at - code) + 2);
		}
	}
	END();
}
END_TEST

static uint64_t
stub_word(unsigned at)
{
	uint64_t v;

	memcpy(&v, stub_blob + at, sizeof v);
	return v;
}

/* Runs until the guest does something else than make calls; a test's own time limit ends what never does. */
static void
run_on(struct ctx *c, struct abi_regs *r, struct stop *st)
{
	for (int i = 0; i < 20; i++) {
		run_guest(c, r, st);
		if (st->kind == STOP_DEAD)
			return;
	}
}

START_TEST(test_forged_frame)
{
	char frame[1024];

	/* A frame of the guest's own with everything zero: it ends or faults, and we go on. */
	START(jump);
	memset(frame, 0, sizeof frame);
	ck_assert_int_eq(space_write(s, DATA, frame, sizeof frame), sizeof frame);
	r.rdi = stub_word(STUB_T_RESTORER);
	r.rsp = DATA;
	run_on(c, &r, &st);
	END();
}
END_TEST

/* A forged frame that blocks all signals, then says so and spins. */
static void
deafen(struct space *s, struct abi_regs *r)
{
	struct {
		uint64_t head[5], regs[18];
		uint16_t seg[4];
		uint64_t err[5], rest[8], mask;
	} f;
	static const char deaf[] = "\xc6\x04\x25\x00\x20\x60\x00\x01\xeb\xfe";	/* movb $1,DATA+0x2000; 1: jmp 1b */

	memset(&f, 0, sizeof f);
	f.head[3] = 2;			/* SS_DISABLE */
	f.regs[16] = CODE + 64;		/* rip */
	f.regs[15] = STACK + 0x8000;
	f.regs[17] = 0x202;
	f.seg[0] = 0x33;
	f.seg[3] = 0x2b;
	f.mask = ~0ULL;
	ck_assert_int_eq(space_write(s, DATA, &f, sizeof f), sizeof f);
	ck_assert_int_eq(space_write(s, CODE + 64, deaf, sizeof deaf - 1), sizeof deaf - 1);
	r->rdi = stub_word(STUB_T_RESTORER);
	r->rsp = DATA;
}

struct waker {
	_Atomic uint32_t *state;
	unsigned	cpu;
	_Atomic bool	started, stop;
};

/* Another thread of the guest, as it were, that wakes whoever waits for one. */
static void *
wake_always(void *arg)
{
	struct waker *w = arg;
	_Atomic uint32_t never = 0;

	while (!atomic_load(&w->stop)) {
		host_futex_wake(w->state, INT32_MAX, true);
		(void)host_futex_wait(&never, 0, now_ns() + 20 * 1000000ULL, false);
	}
	return NULL;
}

/* The kick is not answered, the guest dies of it: alone, and with a friend who does not let us sleep as long as that takes. */
START_TEST(test_deaf_guest)
{
	struct kicker k = { .ms = 50, .times = 1, .when = DATA + 0x2000 };
	struct waker w = { .stop = false };
	pthread_t t, t2;

	START(jump);
	deafen(s, &r);
	k.c = c;
	w.state = &c->sh->state;
	ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
	if (_i == 1)
		ck_assert_int_eq(pthread_create(&t2, NULL, wake_always, &w), 0);
	run_guest(c, &r, &st);
	ck_assert(st.kind == STOP_DEAD || st.kind == STOP_KICK || st.kind == STOP_FAULT || st.kind == STOP_SYSCALL);
	if (strcmp(use, "systrap") == 0)
		ck_assert_int_eq(st.kind, STOP_DEAD);
	pthread_join(t, NULL);
	atomic_store(&w.stop, true);
	if (_i == 1)
		pthread_join(t2, NULL);
	END();
}
END_TEST

static void
stay_on_cpu(pid_t who, unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(who, sizeof one, &one), 0);
}

/* Lets a new thread go before anybody has seen that it stopped, to where it never stops again. */
static void *
hide_arrival(void *arg)
{
	struct waker *w = arg;
	struct stub_ctx *sh = container_of(w->state, struct stub_ctx, state);
	const uint64_t rip = CODE;

	stay_on_cpu(0, w->cpu);
	atomic_store(&w->started, true);
	while (!atomic_load(&w->stop)) {
		/* Its registers are where all of the guest can write; without them it is not seen here again. */
		if (atomic_load(w->state) == ST_STOP || atomic_load(w->state) == ST_STOP_SLEEP) {
			memcpy((char *)sh - (sh->self - atomic_load(&sh->uc)) + 168, &rip, sizeof rip);
			atomic_store(w->state, ST_RUN_SLEEP);
		}
		host_futex_wake(w->state, INT32_MAX, true);
	}
	return NULL;
}

/* A new thread says that it has arrived, another that it has not, and does not let us sleep: it is not made, that is all. */
START_TEST(test_hidden_arrival)
{
	struct waker w = { .stop = false };
	struct ctx *c2 = NULL;
	unsigned other = 0;
	pthread_t t;
	int err;

	START(spin);
	while (w.cpu < CPU_SETSIZE && !CPU_ISSET(w.cpu, &plat.cpus))
		w.cpu++;
	for (other = w.cpu + 1; other < CPU_SETSIZE && !CPU_ISSET(other, &plat.cpus); )
		other++;
	if (strcmp(use, "systrap") != 0 || use_filters || other >= CPU_SETSIZE)
		return;
	/* It has a processor for itself: whenever we look, it has been there before. */
	stay_on_cpu(s->pid, other);
	stay_on_cpu(0, other);
	w.state = (_Atomic uint32_t *)(void *)(plat.ctl_base + CTL_CTX_OFF + (uint64_t)plat.next_ctx * STUB_CTX_SIZE +
	    STUB_CTX_SIZE - CTX_HDR);
	ck_assert_int_eq(pthread_create(&t, NULL, hide_arrival, &w), 0);
	while (!atomic_load(&w.started))
		(void)sched_yield();
	err = ctx_new(s, &c2);
	atomic_store(&w.stop, true);
	pthread_join(t, NULL);
	ck_assert(err == 0 || err == -EAGAIN);
	if (err == 0)
		ctx_free(c2);
	END();
}
END_TEST

/* Whatever a stub is asked to do, it is to go on with its guest. */
static void *
undo_work(void *arg)
{
	struct waker *w = arg;
	struct stub_ctx *sh = container_of(w->state, struct stub_ctx, state);

	while (!atomic_load(&w->stop)) {
		atomic_store(&sh->op, COP_RESUME);
		atomic_store(&w->started, true);
	}
	return NULL;
}

/* Asked to do something for us, and another thread says that it was let go: it runs on, and dies of it. */
START_TEST(test_work_undone)
{
	static const char code[] = "\xb8\x27\x00\x00\x00\x0f\x05\xeb\xfe";	/* mov $39,%eax; syscall; 1: jmp 1b */
	struct waker w = { .stop = false };
	uint32_t seen;
	pthread_t t;

	START(spin);
	if (strcmp(use, "systrap") != 0)
		return;
	ck_assert_int_eq(space_write(s, CODE, code, sizeof code - 1), sizeof code - 1);
	RUN_SYSCALL(39);
	w.state = &c->sh->state;
	ck_assert_int_eq(pthread_create(&t, NULL, undo_work, &w), 0);
	while (!atomic_load(&w.started))
		(void)sched_yield();
	/* Until it was quicker than the stub. */
	while (ctx_cas32(c, DATA, 0, 0, &seen) == 0)
		;
	ck_assert(atomic_load(&s->dead));
	atomic_store(&w.stop, true);
	pthread_join(t, NULL);
	END();
}
END_TEST

START_TEST(test_scribble)
{
	START(scribble);
	r.rcx = 0;
	run_on(c, &r, &st);
	END();
}
END_TEST

/* Entry points all over the stub's page of guest code, with registers that point at guest memory. */
START_TEST(test_jump_into_stub)
{
	struct space *s2;
	struct ctx *c2;

	START(jump);
	for (uint64_t at = _i * 64; at < (uint64_t)_i * 64 + 64; at += 11) {
		struct abi_regs r2 = start_regs();
		struct kicker k = { .ms = 20, .times = 1 };
		pthread_t t;

		ck_assert_int_eq(space_fork(s, &s2), 0);
		ck_assert_int_eq(ctx_new(s2, &c2), 0);
		r2.rdi = STUB_GUEST_TEXT + at;
		r2.rbx = r2.rdx = r2.rcx = DATA + 0x1000;
		r2.rsp = STACK + 0x8000;
		k.c = c2;
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		run_guest(c2, &r2, &st);
		pthread_join(t, NULL);
		ctx_free(c2);
		space_free(s2);
	}
	/* The others never noticed. */
	r.rdi = CODE + 0x100;
	ck_assert_int_eq(space_write(s, CODE + 0x100, g_loop, (size_t)(g_loop_end - g_loop)), g_loop_end - g_loop);
	RUN_SYSCALL(39);
	END();
}
END_TEST

/* Each call instruction of the mapper, with a call that only the mapper may make, and that would succeed. */
START_TEST(test_jump_into_mapper)
{
	unsigned found = 0;

	START(jump);
	for (uint64_t at = 0; at < STUB_GUEST_TEXT - STUB_TEXT; at++) {
		if (memcmp(stub_blob + at, "\x0f\x05", 2) != 0)
			continue;
		r = start_regs();
		r.rip = STUB_TEXT + at;
		r.rax = 11;		/* munmap */
		r.rdi = DATA;
		r.rsi = 0x1000;
		RUN_SYSCALL(11);
		found++;
	}
	ck_assert_uint_gt(found, 20);
	ck_assert_int_eq(space_read(s, DATA, &found, sizeof found), sizeof found);
	END();
}
END_TEST

/* Calls that guest threads may not make, or not so; those like them that they may make would succeed. */
static const struct { uint64_t nr, arg[6]; } forbidden[] = {
	{ SYS_munmap, { STUB_TEXT, 0x1000 } },
	{ SYS_munmap, { STUB_CTX, STUB_CTX_SIZE } },
	{ SYS_munmap, { STUB_OWN_TOP, 0x1000 } },
	{ SYS_munmap, { DATA, STUB_OWN_SPAN } },
	{ SYS_munmap, { DATA, 1ULL << 32 | 0x1000 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_SHARED | MAP_FIXED, STUB_FD_MEMFILE, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_PRIVATE | MAP_FIXED, STUB_FD_CTL, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, STUB_FD_MEMFILE, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1ULL, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1ULL, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_LOCKED, -1ULL, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_HUGETLB, -1ULL, 0 } },
	{ SYS_mmap, { DATA, 0x1000, PROT_READ | 8, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1ULL, 0 } },
	{ SYS_mmap, { STUB_CMD, 0x1000, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1ULL, 0 } },
	{ SYS_mprotect, { DATA, 0x1000, PROT_READ | PROT_WRITE } },
	{ SYS_mprotect, { DATA, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC } },
	{ SYS_mprotect, { DATA, 0x1000, 1ULL << 32 } },
	{ SYS_mprotect, { STUB_TEXT, 0x1000, PROT_READ } },
	{ SYS_madvise, { DATA, 0x1000, MADV_FREE } },
	{ SYS_madvise, { DATA, 0x1000, MADV_REMOVE } },
	{ SYS_madvise, { DATA, 0x1000, MADV_DOFORK } },
	{ SYS_madvise, { STUB_CTX, 0x1000, MADV_DONTNEED } },
	{ SYS_mremap, { DATA, 0x1000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x10000000 } },
	{ SYS_prctl, { PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF } },
};

/* Each call instruction of the guest threads' page. */
START_TEST(test_call_from_guest_page)
{
	unsigned found = 0;

	START(jump);
	for (uint64_t at = STUB_GUEST_TEXT - STUB_TEXT; at < STUB_GUEST_TEXT + STUB_GUEST_SIZE - STUB_TEXT; at++) {
		if (memcmp(stub_blob + at, "\x0f\x05", 2) != 0)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
			r = start_regs();
			r.rip = STUB_TEXT + at;
			r.rax = forbidden[i].nr;
			r.rdi = forbidden[i].arg[0];
			r.rsi = forbidden[i].arg[1];
			r.rdx = forbidden[i].arg[2];
			r.r10 = forbidden[i].arg[3];
			r.r8 = forbidden[i].arg[4];
			r.r9 = forbidden[i].arg[5];
			RUN_SYSCALL(forbidden[i].nr);
		}
		found++;
	}
	ck_assert_uint_gt(found, 2);
	ck_assert_int_eq(space_read(s, DATA, &found, sizeof found), sizeof found);
	END();
}
END_TEST

/* What they may: it hurts themselves, and the sentry sees that it does. */
START_TEST(test_unmaps_itself)
{
	char buf[1];

	START(jump);
	r.rip = stub_word(STUB_T_RESTORER) + 5;		/* behind mov $15,%eax */
	r.rax = SYS_munmap;
	r.rdi = DATA;
	r.rsi = 0x1000;
	run_guest(c, &r, &st);
	if (strcmp(use, "systrap") == 0)
		ck_assert_int_eq(space_read(s, DATA, buf, 1), 0);
	END();
}
END_TEST

/* A guest that is asked to map something, and whose other thread writes all over what it is asked and answers. */
static void *
map_until_dead(void *arg)
{
	struct ctx *c = arg;
	struct abi_regs r = start_regs();
	struct stop st;

	do {
		struct mapcmd m[2] = {
			{ .op = MAPOP_MMAP, .va = 0x10000000, .len = 0x4000, .prot = PROT_READ, .flags = MAP_PRIVATE,
			  .fd = MAPFD_ANON, .plain = true },
			{ .op = MAPOP_MUNMAP, .va = 0x10001000, .len = 0x1000, .fd = MAPFD_ANON, .plain = true },
		};
		int err;

		r.rdi = DATA;
		if (r.rip < CODE || r.rip >= CODE + 64)
			r.rip = CODE;
		run_guest(c, &r, &st);
		if (st.kind == STOP_DEAD)
			break;
		err = space_exec(c->s, m, 2);
		ck_assert(err <= 0 && err >= -255);
	} while (st.kind != STOP_KICK);
	return NULL;
}

static void *
run_until_dead(void *arg)
{
	struct ctx *c = arg;
	struct abi_regs r = start_regs();
	struct stop st;

	do {
		r.rdi = DATA;
		if (r.rip < CODE || r.rip >= CODE + 64)
			r.rip = CODE;
		run_guest(c, &r, &st);
	} while (st.kind != STOP_DEAD && st.kind != STOP_KICK);
	return NULL;
}

static void *(*const victims[])(void *) = { run_until_dead, map_until_dead };

START_TEST(test_scribbling_thread)
{
	struct ctx *c2;
	struct kicker k = { .ms = 40, .times = 1 };
	pthread_t victim, t;

	/* One thread makes calls while another writes to its context set at random. */
	START(counter);
	ctx_free(c);
	space_free(s);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(space_new(&s), 0);
		ck_assert_int_eq(fill(s, g_counter, g_counter_end), 0);
		ck_assert_int_eq(space_write(s, CODE + 0x1000, g_scribbler,
		    (size_t)(g_scribbler_end - g_scribbler)), g_scribbler_end - g_scribbler);
		ck_assert_int_eq(ctx_new(s, &c2), 0);
		/* ptrace's tracer is a thread: the scribbler is run, and was made, by this one. */
		ck_assert_int_eq(ctx_new(s, &c), 0);
		k.c = c;
		r = start_regs();
		r.rip = CODE + 0x1000;
		r.rdi = STUB_CTX;
		r.rbx = 88172645463325252ULL + i;
		if (strcmp(use, "systrap") == 0)
			ck_assert_int_eq(pthread_create(&victim, NULL, victims[_i], c2), 0);
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		run_guest(c, &r, &st);
		pthread_join(t, NULL);
		if (strcmp(use, "systrap") == 0) {
			ctx_kick(c2);
			pthread_join(victim, NULL);
		}
		ctx_free(c);
		ctx_free(c2);
		space_free(s);
	}
	platform_shutdown();
}
END_TEST

static void *
run_once(void *arg)
{
	struct abi_regs r = start_regs();
	struct stop st;

	run_guest(arg, &r, &st);
	return NULL;
}

/* A guest says that a thread is gone which goes on: no other is made on its set, or there were no end of them. */
START_TEST(test_forged_death)
{
	struct ctx *many[5];
	unsigned idx;
	pthread_t t;

	START(spin);
	if (strcmp(use, "systrap") != 0)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		ck_assert_int_eq(ctx_new(s, &many[i]), 0);
	idx = many[4]->idx;
	ck_assert_int_eq(pthread_create(&t, NULL, run_once, many[4]), 0);
	(void)usleep(50000);
	atomic_store(&many[4]->sh->way, WAY_PATCH);
	atomic_store(&many[4]->sh->state, ST_STOP);
	host_futex_wake(&many[4]->sh->state, 1, true);
	pthread_join(t, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		ctx_free(many[i]);
	atomic_store(&many[4]->sh->state, ST_DEAD);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		ck_assert_int_eq(ctx_new(s, &many[i]), 0);
		ck_assert_uint_ne(many[i]->idx, idx);
	}
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		ctx_free(many[i]);
	END();
}
END_TEST

struct forger {
	struct ctx *c;
	uint64_t rip;
	_Atomic bool stop;
};

/* A guest writes when it likes, and no sanitizer sees it. */
NO_SANITIZE static void
forge_rip(char *frame, uint64_t rip)
{
	*(volatile uint64_t *)(void *)(frame + 168) = rip;
}

/* Another thread of the guest, as it were: c has jumped to rip, again and again. */
static void *
forge_detours(void *arg)
{
	struct forger *f = arg;
	char *frame = f->c->base + 0x6000;
	int32_t signo = SIGILL;

	memset(frame, 0, 512);
	memcpy(frame + 168, &f->rip, sizeof f->rip);
	memcpy(frame + 304, &signo, sizeof signo);
	atomic_store(&f->c->sh->uc, f->c->va + 0x6000);
	atomic_store(&f->c->sh->way, WAY_FRAME);
	while (!atomic_load(&f->stop)) {
		uint32_t was = atomic_load(&f->c->sh->state);

		forge_rip(frame, f->rip);
		if ((was == ST_RUN || was == ST_RUN_SLEEP) &&
		    atomic_compare_exchange_strong(&f->c->sh->state, &was, ST_STOP))
			host_futex_wake(&f->c->sh->state, 1, true);
	}
	return NULL;
}

START_TEST(test_forged_detours)
{
	static const uint8_t code[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05 };	/* mov $39,%eax; syscall */
	uint8_t around[PATCH_BEFORE + 2];
	struct kicker k = { .ms = 100, .times = 1 };
	struct site *site = mem_alloc(sizeof *site);
	struct forger f = { .rip = CODE + 0x1005 };
	pthread_t t, t2;

	START(spin);
	if (strcmp(use, "systrap") != 0)
		return;
	memset(around, 0x90, sizeof around);
	memcpy(around + sizeof around - sizeof code, code, sizeof code);
	ck_assert_int_eq(patch_plan(&site->p, around, PATCH_BEFORE, 2, f.rip, 39), 0);
	site->slot = CODE + 0x1800;
	site->live = true;
	s->sites.v = site;
	s->sites.cap = 1;
	atomic_store(&s->sites.n, 1);
	ck_assert(sites_inside(&s->sites, f.rip));
	k.c = f.c = c;
	/* The kick's signal, too, is something that such a guest gets rid of. */
	c->tid = 1;
	ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
	ck_assert_int_eq(pthread_create(&t2, NULL, forge_detours, &f), 0);
	run_guest(c, &r, &st);
	ck_assert(st.kind == STOP_KICK || st.kind == STOP_DEAD);
	atomic_store(&f.stop, true);
	pthread_join(t, NULL);
	pthread_join(t2, NULL);
	END();
}
END_TEST

START_TEST(test_vsyscall)
{
	START(vsyscall);
	run_guest(c, &r, &st);
	if (st.kind == STOP_SYSCALL)		/* a host without the page raises SIGSEGV */
		ck_assert_uint_eq(r.orig_rax, 96);
	else
		ck_assert_int_eq(st.signo, SIGSEGV);
	END();
}
END_TEST

static void *
kill_later(void *arg)
{
	struct space *s = arg;
	_Atomic uint32_t never = 0;

	(void)host_futex_wait(&never, 0, now_ns() + 900 * 1000000ULL, false);
	(void)host_tgkill(space_host_pid(s), space_host_pid(s), SIGKILL);
	return NULL;
}

START_TEST(test_stub_killed_asleep)
{
	pthread_t t;
	uint64_t t0;

	START(spin);
	ck_assert_int_eq(pthread_create(&t, NULL, kill_later, s), 0);
	t0 = now_ns();
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	ck_assert_uint_gt(now_ns() - t0, NSEC_PER_SEC / 2);
	ck_assert_uint_lt(now_ns() - t0, 3 * NSEC_PER_SEC);
	pthread_join(t, NULL);
	END();
}
END_TEST

START_TEST(test_stub_killed)
{
	uint64_t t0;

	START(spin);
	/* As the host's OOM killer would: from outside, while the guest runs. */
	ck_assert_int_gt(space_host_pid(s), 1);
	ck_assert_int_eq(host_tgkill(space_host_pid(s), space_host_pid(s), SIGKILL), 0);
	t0 = now_ns();
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	ck_assert_uint_lt(now_ns() - t0, 3 * NSEC_PER_SEC);
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	{
		struct mapcmd m = { .op = MAPOP_MUNMAP, .va = DATA, .len = 4096 };
		char b;

		ck_assert_int_eq(space_exec(s, &m, 1), -ESRCH);
		ck_assert_int_eq(space_read(s, DATA, &b, 1), -ESRCH);
	}
	END();
}
END_TEST

static void
cases(TCase *tc)
{
	tcase_add_test(tc, test_no_call_escapes);
	tcase_add_test(tc, test_host_vdso_hostile);
	tcase_add_test(tc, test_forged_frame);
	tcase_add_loop_test(tc, test_deaf_guest, 0, 2);
	tcase_add_test(tc, test_hidden_arrival);
	tcase_add_test(tc, test_work_undone);
	tcase_add_test(tc, test_scribble);
	tcase_add_loop_test(tc, test_jump_into_stub, 0, 38);	/* up to the table at the end of the code */
	tcase_add_test(tc, test_jump_into_mapper);
	tcase_add_test(tc, test_call_from_guest_page);
	tcase_add_test(tc, test_unmaps_itself);
	tcase_add_loop_test(tc, test_scribbling_thread, 0, 2);
	tcase_add_test(tc, test_forged_death);
	tcase_add_test(tc, test_forged_detours);
	tcase_add_test(tc, test_vsyscall);
	tcase_add_test(tc, test_stub_killed);
	tcase_add_test(tc, test_stub_killed_asleep);
}

int
main(void)
{
	return run_suite("platform, hostile");
}
