/*
 * insn: lengths of instructions, from tables of the opcode maps.  Intel SDM volume 2, appendix A.
 *
 * A character of a table is a form: what follows the opcode, and how it is to be taken.
 */
#include "platform/insn.h"

#include <errno.h>
#include <string.h>

#define F_NONE		'n'	/* nothing follows */
#define F_MODRM		'm'
#define F_MODRM8	'M'	/* ModRM, then imm8 */
#define F_MODRMZ	'Z'	/* ModRM, then an immediate of 2 or 4 bytes */
#define F_ONLY0		'0'	/* ModRM, its register field 0 */
#define F_ONLY08	'1'	/* the same with imm8 */
#define F_ONLY0Z	'2'
#define F_INC		'i'	/* fe: inc, dec */
#define F_GROUP5	'5'	/* ff: inc, dec, jmp, push */
#define F_GROUP3	'3'	/* f6: test has an immediate, its siblings have none */
#define F_GROUP3Z	'4'	/* f7 */
#define F_IMM8		'b'
#define F_IMM16		'w'
#define F_IMMZ		'z'
#define F_IMMV		'v'	/* an immediate of 2, 4 or 8 bytes */
#define F_ENTER		'e'	/* imm16, imm8 */
#define F_MOFFS		'o'	/* an address */
#define F_JCC8		'c'
#define F_JCC32		'C'
#define F_JMP8		'j'
#define F_JMP32		'J'
#define F_REFUSED	'.'

static const char one_byte[] =
	/* 0 */ "mmmmbz..mmmmbz.."
	/* 1 */ "mmmmbz..mmmmbz.."
	/* 2 */ "mmmmbz..mmmmbz.."
	/* 3 */ "mmmmbz..mmmmbz.."
	/* 4 */ "................"	/* REX */
	/* 5 */ "nnnnnnnnnnnnnnnn"
	/* 6 */ "...m....zZbMnnnn"
	/* 7 */ "cccccccccccccccc"
	/* 8 */ "MZ.Mmmmmmmmmmmm0"
	/* 9 */ "nnnnnnnnnn.nn.nn"	/* popf may start a single step: not in a place of ours */
	/* a */ "oooonnnnbznnnnnn"
	/* b */ "bbbbbbbbvvvvvvvv"
	/* c */ "MMwn..12en..n..."
	/* d */ "mmmm...n........"
	/* e */ "....bbbb.J.jnnnn"
	/* f */ "....nn34nnnnnni5";

static const char two_byte[] =
	/* 0 */ "..mm.......n.m.."
	/* 1 */ "mmmmmmmmmmmmmmmm"
	/* 2 */ "........mmmmmmmm"
	/* 3 */ ".n.n............"
	/* 4 */ "mmmmmmmmmmmmmmmm"
	/* 5 */ "mmmmmmmmmmmmmmmm"
	/* 6 */ "mmmmmmmmmmmmmmmm"
	/* 7 */ "MMMMmmmn....mmmm"
	/* 8 */ "CCCCCCCCCCCCCCCC"
	/* 9 */ "mmmmmmmmmmmmmmmm"
	/* a */ "nnnmMm..nn.mMmmm"
	/* b */ "mmmmmmmm..Mmmmmm"
	/* c */ "mmMmMMMmnnnnnnnn"
	/* d */ "mmmmmmmmmmmmmmmm"
	/* e */ "mmmmmmmmmmmmmmmm"
	/* f */ "mmmmmmmmmmmmmmm.";

_Static_assert(sizeof one_byte == 257 && sizeof two_byte == 257, "a form for each opcode");

/* Bytes to read from.  Past their end all are 0, and at > n tells. */
struct bytes {
	const uint8_t	*p;
	size_t		n, at;
};

struct prefixes {
	bool	opsize, addrsize;	/* 66, 67 */
	bool	hint;			/* 2e, 3e: all that a branch may have */
	bool	other;			/* the rest, REX included */
	bool	wide;			/* REX.W */
};

static uint8_t
byte_next(struct bytes *b)
{
	uint8_t v = b->at < b->n ? b->p[b->at] : 0;

	b->at++;
	return v;
}

/* Takes the prefixes and returns the byte behind. */
static uint8_t
prefixes_read(struct bytes *b, struct prefixes *p)
{
	uint8_t v;

	while (b->at < b->n) {
		v = byte_next(b);
		switch (v) {
		case 0x2e:
		case 0x3e:
			p->hint = true;
			break;
		case 0x26:
		case 0x36:
		case 0x64:
		case 0x65:
		case 0xf2:
		case 0xf3:
			p->other = true;
			break;
		case 0x66:
			p->opsize = true;
			break;
		case 0x67:
			p->addrsize = true;
			break;
		default:
			if ((v & 0xf0) != 0x40)
				return v;
			/* Counts only as the last one; behind it another prefix is refused as an opcode. */
			p->other = true;
			p->wide = (v & 8) != 0;
			return byte_next(b);
		}
	}
	return byte_next(b);
}

/* The form of the opcode that begins with op. */
static char
opcode_read(struct bytes *b, struct insn *i, uint8_t op)
{
	i->op = op;
	if (op != 0x0f)
		return one_byte[op];
	i->op = byte_next(b);
	if (i->op != 0x38 && i->op != 0x3a)
		return two_byte[i->op];
	/* In these maps everything has a ModRM byte, in the second imm8 as well. */
	op = i->op;
	i->op = byte_next(b);
	return op == 0x38 ? F_MODRM : F_MODRM8;
}

/* ModRM, SIB and displacement; returns the register field. */
static uint8_t
modrm_read(struct bytes *b, struct insn *i)
{
	uint8_t m, mod, rm;

	i->modrm_at = (uint8_t)b->at;
	m = byte_next(b);
	mod = m >> 6;
	rm = m & 7;
	if (mod == 3)
		return m >> 3 & 7;
	if (rm == 4)
		rm = byte_next(b) & 7;	/* of SIB: the base */
	else if (mod == 0 && rm == 5)
		i->rel_at = (uint8_t)b->at;
	if (mod == 1)
		b->at += 1;
	else if (mod == 2 || rm == 5)
		b->at += 4;
	if (i->rel_at != 0)
		i->rel_len = 4;
	return m >> 3 & 7;
}

/* Reads what follows the opcode in a form with ModRM; false: refused. */
static bool
modrm_form_read(struct bytes *b, struct insn *i, char form, size_t z)
{
	uint8_t reg = modrm_read(b, i);

	switch (form) {
	case F_MODRM:
		return true;
	case F_MODRM8:
		b->at += 1;
		return true;
	case F_MODRMZ:
		b->at += z;
		return true;
	case F_ONLY0:
		return reg == 0;
	case F_ONLY08:
		b->at += 1;
		return reg == 0;
	case F_ONLY0Z:
		b->at += z;
		return reg == 0;
	case F_INC:
		return reg < 2;
	case F_GROUP5:
		return reg < 2 || reg == 4 || reg == 6;
	case F_GROUP3:
		b->at += reg < 2 ? 1 : 0;
		return true;
	case F_GROUP3Z:
		b->at += reg < 2 ? z : 0;
		return true;
	default:
		return false;
	}
}

static bool
branch_form_read(struct bytes *b, struct insn *i, char form, const struct prefixes *p)
{
	/* 66 makes rip 16 bits wide on some processors and nothing on others. */
	if (p->opsize || p->addrsize || p->other)
		return false;
	i->kind = form == F_JCC8 || form == F_JCC32 ? INSN_JCC : INSN_JMP;
	i->rel_at = (uint8_t)b->at;
	i->rel_len = form == F_JCC8 || form == F_JMP8 ? 1 : 4;
	b->at += i->rel_len;
	return true;
}

/* Reads what follows the opcode; false: refused. */
static bool
form_read(struct bytes *b, struct insn *i, char form, const struct prefixes *p)
{
	size_t z = p->opsize && !p->wide ? 2 : 4;

	switch (form) {
	case F_REFUSED:
		return false;
	case F_NONE:
		return true;
	case F_IMM8:
		b->at += 1;
		return true;
	case F_IMM16:
		b->at += 2;
		return true;
	case F_IMMZ:
		b->at += z;
		return true;
	case F_IMMV:
		b->at += p->wide ? 8 : z;
		return true;
	case F_ENTER:
		b->at += 3;
		return true;
	case F_MOFFS:
		b->at += p->addrsize ? 4 : 8;
		return true;
	case F_JCC8:
	case F_JCC32:
	case F_JMP8:
	case F_JMP32:
		return branch_form_read(b, i, form, p);
	default:
		return modrm_form_read(b, i, form, z);
	}
}

int
insn_decode(struct insn *i, const uint8_t *code, size_t n)
{
	struct bytes b = { .p = code, .n = min(n, (size_t)INSN_MAX) };
	struct prefixes p = { 0 };
	char form;

	memset(i, 0, sizeof *i);
	form = opcode_read(&b, i, prefixes_read(&b, &p));
	if (!form_read(&b, i, form, &p) || b.at > b.n)
		return -ENOTSUP;
	/* Relative to %eip: not worth it. */
	if (i->rel_at != 0 && p.addrsize)
		return -ENOTSUP;
	i->len = (uint8_t)b.at;
	return 0;
}
