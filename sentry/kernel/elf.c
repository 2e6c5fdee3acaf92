/*
 * elf: makes the address space of a new program.  execve(2), elf(5), getauxval(3).
 *
 * elfparse.c judged the bytes; here they are mapped into an address space that nobody runs in yet, so
 * that any failure leaves the caller as it was.  Guests see the layout Linux gives: program (or PIE at two thirds of the
 * range), heap after it, mappings downwards from below the stack, interpreter first among them.
 */
#include "sentry/kernel/elfparse.h"

#include <cpuid.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/errno.h"
#include "abi/resource.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define HEAD_SIZE	256		/* BINPRM_BUF_SIZE */
#define SCRIPT_DEPTH	5
#define PIE_BASE	page_down(GUEST_TOP / 3 * 2)
#define PIE_SPAN	(1ULL << 40)	/* of random placement */
#define BRK_SPAN	0x02000000ULL
#define STACK_EXTRA	(128ULL << 10)	/* below what the first stack uses; it grows on demand */
#define FIXED_MMAP_GAP	(32ULL << 30)	/* top of mappings below the range when nothing is random */
#define ALIGN_MAX	(1ULL << 30)
#define PERS_NO_RANDOM	0x0040000	/* ADDR_NO_RANDOMIZE */
#define SIGFRAME_REST	936		/* of a signal frame, without the FP image */
#define PLATFORM	"x86_64"

/* One program or interpreter on its way into memory. */
struct elf_part {
	struct file	*file;		/* counted */
	struct elf_plan	 plan;
	uint64_t	 bias;		/* address in memory minus address in the file */
};

struct elf_job {
	struct task	*t;
	struct exec_request *r;
	struct mm	*mm;
	struct elf_part	 exe, interp;	/* interp.file NULL: none */
	uint64_t	 rnd_exe, rnd_brk, rnd_stack;
	uint8_t		 rnd_user[16];	/* AT_RANDOM */
	uint64_t	 sp;
};

/* ---- reading --------------------------------------------------------------- */

static int
read_exact(struct task *t, struct file *f, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		int64_t n = file_pread_kernel(t, f, (char *)buf + done, len - done,
		    (int64_t)(off + done));

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ENOEXEC;
		done += (size_t)n;
	}
	return 0;
}

/* The first bytes, zero-padded. */
static int64_t
read_head(struct task *t, struct file *f, char head[HEAD_SIZE])
{
	int64_t n;

	memset(head, 0, HEAD_SIZE);
	n = file_pread_kernel(t, f, head, HEAD_SIZE, 0);
	return n;
}

/*
 * A file that ends before its segments do: Linux starts it and lets it die of SIGBUS or SIGSEGV; here
 * nothing is lost yet, so say what is wrong.
 */
static int
check_size(struct task *t, struct file *f, const struct elf_plan *plan)
{
	struct iattr attr;
	int err = f->inode->ops->getattr(t, f->inode, &attr);

	for (unsigned i = 0; !err && i < plan->nsegs; i++) {
		const struct elf_seg *s = &plan->seg[i];

		if (s->filesz && s->off + s->filesz > page_up(min(attr.size, (uint64_t)INT64_MAX)))
			err = -ENOEXEC;
	}
	return err;
}

static int
read_plan(struct task *t, struct file *f, const char *head, size_t len, struct elf_plan *plan)
{
	AUTO_FREE void *phdrs = NULL;
	uint64_t phoff;
	size_t phsize;
	int err;

	err = elf_parse_header(head, len, &phoff, &phsize);
	if (err)
		return err;
	phdrs = mem_alloc(phsize);
	if (phdrs == NULL)
		return -ENOMEM;
	err = read_exact(t, f, phdrs, phsize, phoff);
	if (err)
		return err;
	err = elf_parse(head, len, phdrs, phsize, GUEST_TOP, plan);
	return err ? err : check_size(t, f, plan);
}

/* ---- #! -------------------------------------------------------------------- */

/* argv becomes: interpreter, its argument if any, the script's name, the rest of argv. */
static int
script_argv(struct exec_request *r, const char *interp, const char *arg, const char *script)
{
	unsigned extra = arg ? 2 : 1;
	uint64_t rest = r->argc ? r->argc - 1 : 0, n = 0;
	char **argv = mem_alloc((rest + extra + 2) * sizeof *argv);
	int err;

	if (argv == NULL)
		return -ENOMEM;
	err = exec_string(r, interp, strlen(interp), &argv[n++]);
	if (!err && arg)
		err = exec_string(r, arg, strlen(arg), &argv[n++]);
	if (!err)
		err = exec_string(r, script, strlen(script), &argv[n++]);
	if (err) {
		mem_free(argv);
		return err;
	}
	for (uint64_t i = 0; i < rest; i++)
		argv[n++] = r->argv[i + 1];
	argv[n] = NULL;
	mem_free(r->argv);
	r->argv = argv;
	r->argc = n;
	return 0;
}

/* Replaces the file by the interpreter that its first line names. */
static int
follow_script(struct task *t, struct exec_request *r, char *head, char **name)
{
	struct file *f;
	char *interp, *arg;
	int err;

	err = script_parse(head, HEAD_SIZE, &interp, &arg);
	if (!err)
		err = script_argv(r, interp, arg, *name);
	if (!err)
		err = vfs_open_exec(t, AT_FDCWD, interp, WALK_FOLLOW, &f);
	if (err)
		return err;
	file_put(r->file);
	r->file = f;
	*name = r->argv[0];
	return 0;
}

/* The file that will really run, and its first bytes. */
static int
find_program(struct task *t, struct exec_request *r, char head[HEAD_SIZE], size_t *len)
{
	char *name = r->filename;

	for (unsigned depth = 0;; depth++) {
		int64_t n = read_head(t, r->file, head);
		int err;

		if (n < 0)
			return (int)n;
		if (n < 2 || head[0] != '#' || head[1] != '!') {
			*len = (size_t)n;
			return 0;
		}
		if (depth >= SCRIPT_DEPTH)
			return -ELOOP;
		err = follow_script(t, r, head, &name);
		if (err)
			return err;
	}
}

/* ---- credentials ----------------------------------------------------------- */

static int
find_creds(struct task *t, struct exec_request *r)
{
	struct inode *i = r->file->inode;
	struct exec_attr a = { 0 };
	struct cred *alone;
	struct iattr attr;
	uint8_t caps[64];
	int n, err;

	err = i->ops->getattr(t, i, &attr);
	if (err)
		return err;
	a.mode = attr.mode;
	a.uid = attr.uid;
	a.gid = attr.gid;
	a.nosuid = r->file->path.mnt && (atomic_load(&r->file->path.mnt->flags) & MS_NOSUID);
	if (!a.nosuid) {
		n = i->ops->getxattr(t, i, "security.capability", caps, sizeof caps);
		if (n > 0 && exec_attr_caps(&a, caps, (size_t)n) != 0)
			return -EINVAL;
	}
	r->unreadable = inode_permission(t, i, MAY_READ) != 0;
	err = cred_exec(task_cred(t), &a, &r->cred, &r->gain);
	if (err || !r->gain.any || !task_shares_fs(t))
		return err;
	alone = steal(&r->cred);
	a.shared = true;
	err = cred_exec(task_cred(t), &a, &r->cred, &r->gain);
	r->shares_fs = true;
	cred_put(alone);
	return err;
}

/* ---- mapping --------------------------------------------------------------- */

static int
map_anon(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot, uint32_t region_flags)
{
	struct mmap_args a = {
		.addr = start, .len = end - start, .prot = prot,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		.region_flags = region_flags, .maxprot = PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	int64_t at = mm_map(mm, &a);

	return at < 0 ? (int)at : 0;
}

static int
map_file(struct elf_job *j, const struct elf_part *part, const struct elf_seg *s, uint64_t start,
    uint64_t end)
{
	struct mmap_args a = {
		.addr = start, .len = end - start, .off = page_down(s->off), .prot = s->prot,
		.flags = MAP_PRIVATE | MAP_FIXED, .file = part->file,
		.maxprot = PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	int64_t at;
	int err;

	err = part->file->ops->mmap(part->file, j->t, &a);
	if (err)
		return err == -ENODEV ? -ENOEXEC : err;
	at = mm_map(j->mm, &a);
	mobj_put(a.mobj);
	return at < 0 ? (int)at : 0;
}

static int
map_segment(struct elf_job *j, const struct elf_part *part, const struct elf_seg *s)
{
	uint64_t va = s->addr + part->bias;
	uint64_t start = page_down(va), end = page_up(va + s->memsz);
	uint64_t file_end = s->filesz ? page_up(va + s->filesz) : start;
	int err = 0;

	if (file_end > start)
		err = map_file(j, part, s, start, file_end);
	if (!err && end > file_end)
		err = map_anon(j->mm, file_end, end, s->prot, 0);
	return err;
}

/* bss begins within the last page of the file's bytes. Of a read-only one nobody sees the tail. */
static int
clear_part(struct elf_job *j, const struct elf_part *part)
{
	int err = 0;

	for (unsigned i = 0; i < part->plan.nsegs && !err; i++) {
		const struct elf_seg *s = &part->plan.seg[i];
		uint64_t at = s->addr + part->bias + s->filesz;

		if (s->memsz > s->filesz && s->filesz && (s->prot & PROT_WRITE) && at < page_up(at))
			err = mm_clear(j->mm, at, page_up(at) - at);
	}
	return err;
}

static int
map_part(struct elf_job *j, const struct elf_part *part)
{
	for (unsigned i = 0; i < part->plan.nsegs; i++) {
		int err = map_segment(j, part, &part->plan.seg[i]);

		if (err)
			return err;
	}
	return 0;
}

/* Where the program goes. -EPERM below the lowest address guests may use, as mmap_min_addr. */
static int
place_exe(struct elf_job *j)
{
	struct elf_plan *p = &j->exe.plan;
	uint64_t align = p->align <= ALIGN_MAX ? p->align : PAGE_SIZE;
	uint64_t base;

	if (!p->is_dyn) {
		j->exe.bias = 0;
		return p->lo < GUEST_BOTTOM ? -EPERM : p->hi > j->mm->mmap_top ? -ENOMEM : 0;
	}
	base = (PIE_BASE + page_down(j->rnd_exe % PIE_SPAN)) & ~(align - 1);
	if (p->hi - p->lo > j->mm->mmap_top - base)
		return -ENOMEM;
	j->exe.bias = base - p->lo;
	return 0;
}

/* The interpreter is the topmost mapping. */
static int
place_interp(struct elf_job *j)
{
	struct elf_plan *p = &j->interp.plan;
	uint64_t align = p->align <= ALIGN_MAX ? p->align : PAGE_SIZE;
	uint64_t size = p->hi - p->lo, base;

	if (!p->is_dyn) {
		j->interp.bias = 0;
		return p->lo < GUEST_BOTTOM ? -EPERM : 0;
	}
	if (size >= j->mm->mmap_top - (j->exe.plan.hi + j->exe.bias))
		return -ENOMEM;
	base = (j->mm->mmap_top - size) & ~(align - 1);
	j->interp.bias = base - p->lo;
	return 0;
}

static void
note_layout(struct elf_job *j)
{
	const struct elf_plan *p = &j->exe.plan;
	struct mm *mm = j->mm;
	uint64_t bias = j->exe.bias, brk;

	mm->start_code = UINT64_MAX;
	for (unsigned i = 0; i < p->nsegs; i++) {
		const struct elf_seg *s = &p->seg[i];
		uint64_t start = s->addr + bias, end = start + s->filesz;

		if (s->prot & PROT_EXEC) {
			mm->start_code = min(mm->start_code, start);
			mm->end_code = max(mm->end_code, end);
		}
		mm->start_data = max(mm->start_data, start);
		mm->end_data = max(mm->end_data, end);
	}
	if (mm->start_code == UINT64_MAX)
		mm->start_code = 0;
	brk = p->hi + bias + page_down(j->rnd_brk % BRK_SPAN);
	mm->brk_start = mm->brk = brk < mm->mmap_top ? brk : p->hi + bias;
}

/* ---- the first stack ------------------------------------------------------- */

/* Built downwards in a kernel buffer that stands for the top of the stack. */
struct stack_image {
	uint8_t		*buf;
	uint64_t	 size, at;	/* at: offset of the lowest byte written */
	uint64_t	 top;		/* guest address just above buf[size - 1] */
};

static uint64_t
stack_push(struct stack_image *s, const void *data, size_t n)
{
	BUG_ON(n > s->at);
	s->at -= n;
	memcpy(s->buf + s->at, data, n);
	return s->top - (s->size - s->at);
}

static uint64_t
stack_push_str(struct stack_image *s, const char *str)
{
	return stack_push(s, str, strlen(str) + 1);
}

static void
stack_align(struct stack_image *s, uint64_t n)
{
	s->at -= (s->top - (s->size - s->at)) % n;
}

static uint64_t
stack_here(const struct stack_image *s)
{
	return s->top - (s->size - s->at);
}

static uint64_t
strings_size(char **v, uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += strlen(v[i]) + 1;
	return sum;
}

static unsigned
make_auxv(struct elf_job *j, uint64_t *v, uint64_t vdso, uint64_t platform, uint64_t random,
    uint64_t execfn)
{
	const struct elf_plan *p = &j->exe.plan;
	const struct cred *c = j->r->cred;
	unsigned eax, ebx, ecx, edx = 0, n = 0;

	(void)__get_cpuid(1, &eax, &ebx, &ecx, &edx);
#define AUX(tag, value) (v[n++] = (tag), v[n++] = (value))
	if (vdso)
		AUX(AT_SYSINFO_EHDR, vdso);
	AUX(AT_MINSIGSTKSZ, round_up(platform_fp_size + SIGFRAME_REST, 16));
	AUX(AT_HWCAP, edx);
	AUX(AT_PAGESZ, PAGE_SIZE);
	AUX(AT_CLKTCK, 100);
	AUX(AT_PHDR, p->phdr_va ? p->phdr_va + j->exe.bias : 0);
	AUX(AT_PHENT, sizeof(Elf64_Phdr));
	AUX(AT_PHNUM, p->phnum);
	AUX(AT_BASE, j->interp.file ? j->interp.plan.lo + j->interp.bias : 0);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, p->entry + j->exe.bias);
	AUX(AT_UID, c->uid);
	AUX(AT_EUID, c->euid);
	AUX(AT_GID, c->gid);
	AUX(AT_EGID, c->egid);
	AUX(AT_SECURE, j->r->gain.secure);
	AUX(AT_RANDOM, random);
	/* Without FSGSBASE: the platform follows fs and gs through system calls. */
	AUX(AT_HWCAP2, 0);
	AUX(AT_EXECFN, execfn);
	AUX(AT_PLATFORM, platform);
	AUX(AT_NULL, 0);
#undef AUX
	return n;
}

/* argv and envp as pointers to strings that lie one behind the other from `at`. */
static uint64_t
fill_pointers(uint64_t *out, char **v, uint64_t n, uint64_t at)
{
	for (uint64_t i = 0; i < n; i++) {
		out[i] = at;
		at += strlen(v[i]) + 1;
	}
	out[n] = 0;
	return at;
}

static void
push_strings(struct stack_image *s, char **v, uint64_t n)
{
	while (n > 0)
		stack_push_str(s, v[--n]);
}

static int
fill_stack(struct elf_job *j, struct stack_image *s, uint64_t vdso)
{
	struct exec_request *r = j->r;
	struct mm *mm = j->mm;
	uint64_t zero = 0, execfn, platform, random, words, *v, at;

	stack_push(s, &zero, sizeof zero);
	execfn = stack_push_str(s, r->filename);
	mm->env_end = execfn;
	push_strings(s, r->envp, r->envc);
	mm->env_start = mm->arg_end = stack_here(s);
	push_strings(s, r->argv, r->argc);
	mm->arg_start = stack_here(s);
	s->at -= j->rnd_stack % 8192;
	stack_align(s, 16);
	platform = stack_push_str(s, PLATFORM);
	random = stack_push(s, j->rnd_user, sizeof j->rnd_user);
	stack_align(s, 16);
	mm->nauxv = make_auxv(j, mm->auxv, vdso, platform, random, execfn);

	words = 1 + r->argc + 1 + r->envc + 1;
	v = mem_alloc(words * sizeof *v);
	if (v == NULL)
		return -ENOMEM;
	v[0] = r->argc;
	at = fill_pointers(v + 1, r->argv, r->argc, mm->arg_start);
	(void)fill_pointers(v + 1 + r->argc + 1, r->envp, r->envc, at);
	/* sp must be a multiple of 16 where argc lies. */
	if ((words + mm->nauxv) % 2)
		s->at -= 8;
	stack_push(s, mm->auxv, mm->nauxv * sizeof mm->auxv[0]);
	j->sp = stack_push(s, v, words * sizeof *v);
	mm->start_stack = j->sp;
	mem_free(v);
	return 0;
}

static int
make_stack(struct elf_job *j, uint64_t vdso)
{
	struct exec_request *r = j->r;
	const struct elf_plan *p = &j->exe.plan;
	uint32_t prot = PROT_READ | PROT_WRITE | (p->stack_known && p->exec_stack ? PROT_EXEC : 0);
	struct stack_image s = { .top = j->mm->stack_top };
	uint64_t used;
	int err;

	s.size = strings_size(r->argv, r->argc) + strings_size(r->envp, r->envc) +
	    strlen(r->filename) + (r->argc + r->envc) * 8 + 8192 + 1024;
	s.at = s.size;
	s.buf = mem_alloc(s.size);
	if (s.buf == NULL)
		return -ENOMEM;
	err = fill_stack(j, &s, vdso);
	used = s.size - s.at;
	if (!err)
		err = map_anon(j->mm, page_down(s.top - used - STACK_EXTRA), s.top, prot,
		    REGION_STACK | REGION_GROWSDOWN);
	/* All that this program needs, in one piece. */
	if (!err)
		err = mm_send(j->mm);
	if (!err)
		err = mm_poke(j->mm, s.top - used, s.buf + s.at, used);
	mem_free(s.buf);
	return err;
}

/* ---- all of it ------------------------------------------------------------- */

static int
open_interp(struct elf_job *j)
{
	const struct elf_plan *p = &j->exe.plan;
	AUTO_FREE char *name = NULL;
	char head[HEAD_SIZE];
	int64_t n;
	int err;

	if (!p->has_interp)
		return 0;
	name = mem_alloc(p->interp_len + 1);
	if (name == NULL)
		return -ENOMEM;
	err = read_exact(j->t, j->exe.file, name, p->interp_len, p->interp_off);
	if (err)
		return err;
	if (name[p->interp_len - 1] != '\0')
		return -ENOEXEC;
	err = vfs_open_exec(j->t, AT_FDCWD, name, WALK_FOLLOW, &j->interp.file);
	if (err)
		return err;
	/* What may not be read must not be read out of the process either. */
	j->r->unreadable |= inode_permission(j->t, j->interp.file->inode, MAY_READ) != 0;
	n = read_head(j->t, j->interp.file, head);
	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(Elf64_Ehdr))
		return -EIO;
	err = read_plan(j->t, j->interp.file, head, (size_t)n, &j->interp.plan);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

/* Is everything where it always is?  Not for a program that gains something by being executed. */
static bool
is_fixed_layout(const struct elf_job *j)
{
	return (j->t->personality & PERS_NO_RANDOM) && !j->r->gain.plain;
}

static void
draw_random(struct elf_job *j)
{
	uint64_t r[5];

	kernel_random(r, sizeof r);
	memcpy(j->rnd_user, r, sizeof j->rnd_user);
	if (is_fixed_layout(j))
		return;
	j->rnd_exe = r[2];
	j->rnd_brk = r[3];
	j->rnd_stack = r[4];
}

static int
build(struct elf_job *j, struct image *out)
{
	struct elf_part *first = j->interp.file ? &j->interp : &j->exe;
	uint64_t vdso = 0;
	int err;

	draw_random(j);
	if (is_fixed_layout(j)) {
		j->mm->stack_top = GUEST_TOP - PAGE_SIZE;
		j->mm->mmap_top = GUEST_TOP - FIXED_MMAP_GAP;
	}
	err = mm_hold(j->mm);
	if (!err)
		err = place_exe(j);
	if (!err && j->interp.file)
		err = place_interp(j);
	if (!err)
		err = map_part(j, &j->exe);
	if (!err && j->interp.file)
		err = map_part(j, &j->interp);
	if (err)
		return err;
	note_layout(j);
	err = vdso_map(j->mm, &vdso);
	if (err)
		return err;
	j->mm->vdso_base = vdso;
	err = make_stack(j, vdso);
	if (!err)
		err = clear_part(j, &j->exe);
	if (!err && j->interp.file)
		err = clear_part(j, &j->interp);
	if (err)
		return err;
	out->entry = first->plan.entry + first->bias;
	out->sp = j->sp;
	return 0;
}

int
elf_load(struct task *t, struct exec_request *r, struct image *out)
{
	struct elf_job *j = mem_alloc(sizeof *j);
	char head[HEAD_SIZE];
	size_t len = 0;
	int err;

	if (j == NULL)
		return -ENOMEM;
	j->t = t;
	j->r = r;
	err = find_program(t, r, head, &len);
	if (!err)
		err = find_creds(t, r);
	if (err)
		goto done;
	j->exe.file = r->file;
	err = read_plan(t, r->file, head, len, &j->exe.plan);
	if (!err)
		err = open_interp(j);
	if (!err)
		err = mm_new(&j->mm);
	if (err)
		goto done;
	atomic_store(&j->mm->users, 1);
	mm_set_limits(j->mm, t);
	err = build(j, out);
	if (err) {
		mm_put(j->mm);
		goto done;
	}
	j->mm->exe = file_get(r->file);
	out->mm = j->mm;
done:
	if (j->interp.file) {
		vfs_exec_done(j->interp.file);
		file_put(j->interp.file);
	}
	mem_free(j);
	return err;
}
