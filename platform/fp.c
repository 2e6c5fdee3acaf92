/*
 * fp: the floating point image of a guest thread, as the host lays it out in a signal
 * frame: XSAVE in standard form, the sw_reserved words inside, FP_XSTATE_FP_MAGIC2 behind.
 *
 * The host loads such an image when the guest goes on; a malformed one would end the
 * guest, so that what the sentry was given by a guest is checked here first.
 */
#include <cpuid.h>
#include <signal.h>
#include <string.h>

#include "platform/space.h"

#define FXSAVE_SIZE	512
#define MAGIC1		0x46505853u
#define XMM_OFF		160
#define XMM_SIZE	256
#define XFEATURE_SSE	2ULL
#define XFEATURES_MXCSR	6ULL		/* SSE and AVX */
#define XFEATURE_PKRU	9

uint32_t platform_fp_size;
uint64_t fp_features;

static uint8_t sw[48];			/* sw_reserved as this host writes it */
static uint32_t mxcsr_mask = 0xffbf, pkru_off;

static uint32_t
u32_at(const void *p, size_t off)
{
	uint32_t v;

	memcpy(&v, (const char *)p + off, sizeof v);
	return v;
}

static uint64_t
u64_at(const void *p, size_t off)
{
	uint64_t v;

	memcpy(&v, (const char *)p + off, sizeof v);
	return v;
}

static void
on_probe(int sig, siginfo_t *info, void *ucv)
{
	const ucontext_t *uc = ucv;
	const void *image = uc->uc_mcontext.fpregs;

	(void)sig;
	(void)info;
	memcpy(sw, (const char *)image + FP_SW_OFF, sizeof sw);
	if (u32_at(image, 28) != 0)
		mxcsr_mask = u32_at(image, 28);
}

/* Learns the frame's form from one of the sentry's own signals; -EOPNOTSUPP without XSAVE. */
int
fp_probe(void)
{
	struct sigaction sa, old;
	unsigned a, b, c, d;

	memset(&sa, 0, sizeof sa);
	sa.sa_sigaction = on_probe;
	sa.sa_flags = SA_SIGINFO;
	if (sigaction(SIGUSR2, &sa, &old) != 0)
		return -EOPNOTSUPP;
	(void)raise(SIGUSR2);
	(void)sigaction(SIGUSR2, &old, NULL);
	if (u32_at(sw, 0) != MAGIC1)
		return -EOPNOTSUPP;
	platform_fp_size = u32_at(sw, 4);
	fp_features = u64_at(sw, 8);
	if (platform_fp_size > FP_MAX || platform_fp_size < FXSAVE_SIZE + 64 + 4 ||
	    u32_at(sw, 16) != platform_fp_size - 4)
		return -EOPNOTSUPP;
	if (fp_features >> XFEATURE_PKRU & 1) {
		__cpuid_count(0xd, XFEATURE_PKRU, a, b, c, d);
		if (b + 8 <= platform_fp_size - 4)
			pkru_off = b;
	}
	return 0;
}

void
fp_seal_head(void *head)
{
	memcpy((char *)head + FP_SW_OFF, sw, sizeof sw);
}

void
fp_seal(void *image)
{
	uint32_t magic2 = FP_MAGIC2;

	fp_seal_head(image);
	memcpy((char *)image + platform_fp_size - 4, &magic2, sizeof magic2);
}

void
fp_clean(void *image)
{
	static const uint16_t fcw = 0x37f;
	static const uint32_t mxcsr = 0x1f80, pkru = 0x55555554;	/* as after exec */
	uint64_t bv = 0;

	memset(image, 0, platform_fp_size);
	memcpy(image, &fcw, sizeof fcw);
	memcpy((char *)image + 24, &mxcsr, sizeof mxcsr);
	memcpy((char *)image + 28, &mxcsr_mask, sizeof mxcsr_mask);
	if (pkru_off != 0) {
		bv |= 1ULL << XFEATURE_PKRU;
		memcpy((char *)image + pkru_off, &pkru, sizeof pkru);
	}
	memcpy((char *)image + FXSAVE_SIZE, &bv, sizeof bv);
	fp_seal(image);
}

bool
fp_is_closed(const void *image)
{
	return u32_at(image, platform_fp_size - 4) == FP_MAGIC2;
}

int
fp_check(const void *image)
{
	return fp_is_closed(image) ? fp_check_head(image) : -EINVAL;
}

int
fp_check_head(const void *image)
{
	if (u32_at(image, FP_SW_OFF) != MAGIC1 || u32_at(image, FP_SW_OFF + 16) != platform_fp_size - 4)
		return -EINVAL;
	if (u32_at(image, 24) & ~mxcsr_mask)
		return -EINVAL;
	if (u64_at(image, FXSAVE_SIZE) & ~fp_features)
		return -EINVAL;
	for (size_t off = FXSAVE_SIZE + 8; off < FXSAVE_SIZE + 64; off += 8) {
		if (u64_at(image, off) != 0)
			return -EINVAL;
	}
	return 0;
}

/* XRSTOR loads MXCSR whatever XSTATE_BV says, but a host that is given an image does not: SSE state is there, then. */
void
fp_keep_mxcsr(void *image)
{
	uint64_t bv = u64_at(image, FXSAVE_SIZE);

	if (bv & XFEATURES_MXCSR)
		return;
	bv |= XFEATURE_SSE;
	memcpy((char *)image + FXSAVE_SIZE, &bv, sizeof bv);
	memset((char *)image + XMM_OFF, 0, XMM_SIZE);
}
