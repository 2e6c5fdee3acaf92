/*
 * stub: the memory that the stub shares with the sentry, for C and for assembly.
 *
 * The command pages (struct stub_cmd) are read-only in the stub, the result page
 * (struct stub_res) too; a context set ends in its header (struct stub_ctx), which any
 * thread of the guest may scribble on at any moment.
 */
#ifndef PLATFORM_STUB_STUB_H
#define PLATFORM_STUB_STUB_H

#include "base/stublayout.h"

/* What an entry asks of the mapper. */
#define MOP_CALL	0	/* a host call: nr, args; an error equal to `ignore` is none */
#define MOP_THREAD	1	/* a guest thread: args = stack, clear_child_tid word, its stack_t, 1: by dispatch */
#define MOP_FORK	2	/* another stub: args = its slot's offset in the control file */

#define CMD_SEQ		0
#define CMD_COUNT	4
#define CMD_SPIN	8
#define CMD_WAITING	12
#define CMD_ID		16
#define CMD_ENT		64
#define ENT_OP		0
#define ENT_IDX		4
#define ENT_NR		8
#define ENT_IGNORE	12
#define ENT_ARGS	16
#define ENT_SIZE	64
#define CMD_MAX		((STUB_CMD_SIZE - CMD_ENT) / ENT_SIZE)

#define RES_SEQ		0
#define RES_ERR		4
#define RES_IDX		8
#define RES_VAL		12

/* A context's header, and the states of its first word. */
#define CTX_HDR		512
/*
 * The line that a patched call and its answer travel in.  Both sides look at it while they wait, so whatever else
 * one of them changes during a call is two lines away: processors fetch lines in pairs.
 */
#define CTX_STATE	0
#define CTX_SPIN	4
#define CTX_CALL_IN	4		/* bytes of two arguments that are here */
#define CTX_CALL	8		/* number; then result */
#define CTX_CALL_ARGS	16		/* in order; then, unless they are none: */
#define CTX_OUT_N	16
#define CTX_OUT		24		/* the first one, others are at CTX_OUT_MORE */
#define CTX_FP_TO	40		/* behind the results */
#define CTX_RESULT	48		/* a small one alone */
#define CTX_RESULT_SIZE	16
/* What the sentry writes, seldom. */
#define CTX_OP		64
#define CTX_BASES	68
#define CTX_SELF	72
#define CTX_MAGIC	80
#define CTX_CASVA	88
#define CTX_CASOLD	96
#define CTX_CASNEW	100
#define CTX_KNOWN	104
#define CTX_WORK_N	108
#define CTX_FP_MASK	112
#define CTX_FP_REST	120
/* What the stub writes and the sentry looks at when it has to. */
#define CTX_REGS	128
#define CTX_RAX		(CTX_REGS + 0)
#define CTX_ARGS	(CTX_REGS + 8)	/* in order */
#define CTX_RDI		(CTX_ARGS + 0)
#define CTX_RSI		(CTX_ARGS + 8)
#define CTX_RDX		(CTX_ARGS + 16)
#define CTX_R10		(CTX_ARGS + 24)
#define CTX_R8		(CTX_ARGS + 32)
#define CTX_R9		(CTX_ARGS + 40)
#define CTX_FLAGS	(CTX_REGS + 56)
#define CTX_RSP		(CTX_REGS + 64)
#define CTX_RBX		(CTX_REGS + 72)
#define CTX_RBP		(CTX_REGS + 80)
#define CTX_R12		(CTX_REGS + 88)
#define CTX_R13		(CTX_REGS + 96)
#define CTX_R14		(CTX_REGS + 104)
#define CTX_R15		(CTX_REGS + 112)
#define CTX_RCX		(CTX_REGS + 120)
#define CTX_R11		(CTX_REGS + 128)
#define CTX_GOTO	264
#define CTX_FSBASE	272
#define CTX_GSBASE	280
#define CTX_UC		288
#define CTX_IN_LEN	296
#define CTX_WAY		304
#define CTX_KICKED	308
#define CTX_CPU		312
#define CTX_SEEN	316
#define CTX_RC		320
#define CTX_LEFT	324
#define CTX_ANSWERED	328
/* The sentry's again. */
#define CTX_ANSWERS	384
#define CTX_NANSWERS	16
#define CTX_OUT_MORE	448
/* What both write, seldom: the guest's signal mask, and what it was before a call that is under way. */
#define CTX_SIGMASK	496
#define CTX_SIGMASK_OLD	504
#define CTX_NOUT	4
/* Bits of the first of CTX_CALL_IN's numbers.  Of a second of 2^15 or more the lower ones are left: fewer bytes than are here. */
#define IN_LEN_SECOND	17
#define OUT_VA		0
#define OUT_OFF		8
#define OUT_LEN		12
#define OUT_SIZE	16

/* Data in transit: two small places, then one for bytes by the count, or for results. */
#define DATA_SMALL	0x1000
#define DATA_BIG	(STUB_CTX_DATA + 2 * DATA_SMALL)
#define DATA_BIG_SIZE	0x10000

/* Names that are no symbolic links (names.c): where a name of so many bytes, NUL included, is in the table, if at all. */
#define NAME_SLOTS_LOG	6
#define NAME_SIZE_LOG	8
#define NAME_FACTOR	0x9e3779b1
#define NAME_STATE	0
#define NAME_LEN	8
#define NAME_TEXT	16
#define NAME_MAX_LEN	240

/* The world page. */
#define WORLD_NAMES	0
#define WORLD_AWAKE	64
#define WORLD_CPUS	68

/* Bit n: fcntl's command n has a struct flock: F_GETLK, F_SETLK, F_SETLKW, and the same of open file descriptions. */
#define LOCK_COMMANDS	0x70000000e0

/* A signal frame in guest memory from its ucontext on: where the FP image of one that the sentry has made begins. */
#define SIGFRAME_FP	448
#define SIGFRAME_FP_HEAD 576	/* FP_HEAD */
#define SIGFRAME_HEAD	(SIGFRAME_FP + SIGFRAME_FP_HEAD)

/* What every header of a set holds at CTX_MAGIC: tells a thread's own %gs from one that the guest has set. */
#define CTX_MAGIC_VALUE	0x56696c67

/* Where a stopped thread's registers are. */
#define WAY_FRAME	0	/* in a signal frame, floating point too */
#define WAY_PATCH	1	/* in the header, at a patched call; floating point in the processor */
#define WAY_KICK	2	/* the same, but kicked on its way out: the header is what we put there */
#define WAY_OUT		3	/* the same, but a result could not be copied out */
#define WAY_TRAP	4	/* in a signal frame, at a call that trapped: number, arguments and go_to as at a patched one */

/* How the segment bases travel: not at all (ptrace sees to them), by instruction, by a call where one changes. */
#define BASES_INSN	1
#define BASES_FS	2
#define BASES_GS	4

#define ST_DEAD		0	/* the host writes it when the thread is gone */
#define ST_RUN		1	/* the stub's turn */
#define ST_RUN_SLEEP	2	/* ... and the sentry sleeps on the word */
#define ST_STOP		3	/* the sentry's turn */
#define ST_STOP_SLEEP	4	/* ... and the stub sleeps on the word */
#define ST_CALL		5	/* as ST_STOP, at a patched call, and the stub waits with the guest's registers in place */
#define ST_BACK		6	/* as ST_RUN, after ST_CALL: nothing has changed but rax */

#define COP_RESUME	0
#define COP_CAS		1
#define COP_EXIT	2
#define COP_FRAME	3	/* moves the registers of a patched call to a signal frame's place */
#define COP_FP_GET	4	/* saves floating point at the head of the set */
#define COP_FP_SET	5	/* and loads it from there */
#define COP_MAP		6	/* makes the host calls at STUB_CTX_WORK, up to the first that fails */
#define WORK_MAX	16

#ifndef __ASSEMBLER__
#include "base/base.h"

struct stub_ent {
	uint32_t	op, idx, nr, ignore;
	uint64_t	args[6];
};

struct stub_cmd {
	_Atomic uint32_t seq;		/* the sentry's turn counter: the mapper sleeps on it */
	uint32_t	count;
	uint32_t	spin;		/* how long the mapper waits awake */
	_Atomic uint32_t waiting;	/* the sentry sleeps on the result */
	uint64_t	id;		/* sent with the descriptors of a new stub */
	uint32_t	pad[10];
	struct stub_ent	ent[CMD_MAX];
};

struct stub_res {
	_Atomic uint32_t seq;		/* last batch carried out */
	_Atomic uint32_t err;		/* low byte: the host's error; 0 when all went well */
	_Atomic uint32_t idx;		/* the entry it happened at */
	_Atomic uint32_t val;		/* pid or tid of MOP_FORK, MOP_THREAD */
};

struct stub_out {
	uint64_t	va;
	uint32_t	off, len;
};

struct stub_ctx {
	_Atomic uint32_t state;
	union {
		_Atomic uint32_t spin;		/* how long the stub waits awake */
		_Atomic uint32_t call_in;	/* a patched call's arguments that are here: two numbers of bytes, see IN_LEN_SECOND */
	};
	_Atomic uint64_t call;		/* a patched call's number, and its result */
	union {
		_Atomic uint64_t args[6];
		struct {
			_Atomic uint32_t nout, pad0;	/* results to copy */
			struct stub_out	 out;		/* the first of them */
			_Atomic uint64_t fp_to;	/* with results: floating point goes there, and starts afresh; 0: not, or done */
			char		 result[CTX_RESULT_SIZE];
		};
	};
	_Atomic uint32_t op;
	_Atomic uint32_t bases;		/* BASES_* */
	uint64_t	self, magic;	/* address of this header in the stub; CTX_MAGIC_VALUE */
	_Atomic uint64_t cas_va;
	_Atomic uint32_t cas_old, cas_new;
	_Atomic uint32_t known;		/* bit n: answers[n] holds */
	_Atomic uint32_t work_n;	/* commands */
	_Atomic uint64_t fp_mask;	/* components of an image; the processor may have more, which XSAVE would write behind it */
	_Atomic uint32_t fp_rest;	/* bytes of an image behind its head */
	uint32_t	pad1;
	_Atomic uint64_t regs[17];	/* as CTX_REGS says */
	_Atomic uint64_t go_to;		/* where a patched call comes back to; what follows it in the text is rcx; WAY_TRAP: that */
	_Atomic uint64_t fs_base, gs_base;
	_Atomic uint64_t uc;		/* where the host put the registers */
	_Atomic uint32_t in_len[2];	/* what call_in will say; of a trapped rt_sigreturn: the first is for its frame */
	_Atomic uint32_t way;		/* WAY_* */
	_Atomic uint32_t kicked;	/* the next call may not be answered by the stub */
	_Atomic uint32_t cpu;		/* low twelve bits: where it waited last when it did not pay */
	_Atomic uint32_t cas_seen;
	_Atomic uint32_t rc, left;	/* of work: the error, the commands that were not done */
	_Atomic uint64_t answered;	/* calls that were */
	uint64_t	pad2[6];
	_Atomic uint32_t answers[CTX_NANSWERS]; /* by enum ctx_answer; 0 is unused */
	struct stub_out	out_more[CTX_NOUT - 1];
	_Atomic uint64_t sigmask, sigmask_old;
};

struct stub_name {
	uint64_t	names;		/* the state of all names that this was true in; 0: none */
	uint32_t	len, pad;
	char		text[NAME_MAX_LEN];
};

struct stub_world {
	_Atomic uint64_t names;		/* the state of names, permissions and mounts */
	uint64_t	pad0[7];
	_Atomic int32_t	awake;		/* guest threads but for those whose owners sleep */
	int32_t		cpus;		/* processors for them and their owners */
};

_Static_assert(sizeof(struct stub_name) == 1 << NAME_SIZE_LOG && offsetof(struct stub_name, text) == NAME_TEXT &&
    STUB_CTX_WORK + WORK_MAX * ENT_SIZE <= STUB_CTX_NAMES &&
    STUB_CTX_NAMES + (1 << (NAME_SIZE_LOG + NAME_SLOTS_LOG)) <= STUB_CTX_SIZE - CTX_HDR, "names");
_Static_assert(sizeof(struct stub_ent) == ENT_SIZE && offsetof(struct stub_ent, args) == ENT_ARGS, "entry");
_Static_assert(offsetof(struct stub_cmd, ent) == CMD_ENT && offsetof(struct stub_cmd, id) == CMD_ID, "cmd");
_Static_assert(sizeof(struct stub_cmd) <= STUB_CMD_SIZE, "cmd size");
_Static_assert(offsetof(struct stub_res, val) == RES_VAL, "res");
#define AT(field, at)	_Static_assert(offsetof(struct stub_ctx, field) == (at), #field)
AT(spin, CTX_SPIN);
AT(call, CTX_CALL);
AT(call_in, CTX_CALL_IN);
AT(result, CTX_RESULT);
AT(args, CTX_CALL_ARGS);
AT(nout, CTX_OUT_N);
AT(out, CTX_OUT);
AT(fp_to, CTX_FP_TO);
AT(op, CTX_OP);
AT(bases, CTX_BASES);
AT(self, CTX_SELF);
AT(magic, CTX_MAGIC);
AT(cas_va, CTX_CASVA);
AT(cas_old, CTX_CASOLD);
AT(cas_new, CTX_CASNEW);
AT(known, CTX_KNOWN);
AT(work_n, CTX_WORK_N);
AT(fp_mask, CTX_FP_MASK);
AT(fp_rest, CTX_FP_REST);
AT(regs, CTX_REGS);
AT(go_to, CTX_GOTO);
AT(fs_base, CTX_FSBASE);
AT(gs_base, CTX_GSBASE);
AT(uc, CTX_UC);
AT(in_len, CTX_IN_LEN);
AT(way, CTX_WAY);
AT(kicked, CTX_KICKED);
AT(cpu, CTX_CPU);
AT(cas_seen, CTX_SEEN);
AT(rc, CTX_RC);
AT(left, CTX_LEFT);
AT(answered, CTX_ANSWERED);
AT(answers, CTX_ANSWERS);
AT(out_more, CTX_OUT_MORE);
AT(sigmask, CTX_SIGMASK);
AT(sigmask_old, CTX_SIGMASK_OLD);
#undef AT
_Static_assert(CTX_OP == 64 && CTX_REGS == 128 && CTX_ANSWERS % 64 == 0, "lines");
_Static_assert(offsetof(struct stub_world, names) == WORLD_NAMES && offsetof(struct stub_world, awake) == WORLD_AWAKE &&
    offsetof(struct stub_world, cpus) == WORLD_CPUS, "world");
_Static_assert(DATA_BIG + DATA_BIG_SIZE == STUB_CTX_DATA_END && sizeof(struct stub_ctx) <= CTX_HDR, "ctx");

/* The linked stub (blob.S). */
extern const char stub_blob[], stub_blob_end[];
#endif

/* Addresses of entry points, in the first words of the text (a table, so that nothing has to read symbols). */
#define STUB_T_MAGIC	0x6275747367616c56	/* "Vlagstub" */
#define STUB_T_BOOT	8	/* offset of the zygote's position-independent start */
#define STUB_T_HANDLER	16	/* the guest threads' signal handler */
#define STUB_T_RESTORER	24
#define STUB_T_CAS	32	/* compare-and-swap under ptrace; ends in int3 */
#define STUB_T_CAS_DONE	40	/* the address after the int3 */
#define STUB_T_LEAVE	48	/* ends the thread */
#define STUB_T_ENTRY	56	/* where patched calls come in; its first instruction, and the one at STUB_T_ALIEN, */
#define STUB_T_ALIEN	64	/* fault when %gs is the guest's own: a call then, nothing worse */

#endif
