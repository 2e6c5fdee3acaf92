/*
 * driver [-n RUNS] [-s SECONDS] SEEDS: a fuzz target's main where there is no libFuzzer.
 *
 * Every file of the directory SEEDS goes in as it is, then RUNS (10,000) mutations of them with a fixed
 * generator, or as many as SECONDS allow.  An input that ends the process is left in crash-input of the
 * current directory.  "driver FILE..." runs those files alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define INPUT_MAX	65536
#define SEEDS_MAX	256
#define HANG_S		20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seed { uint8_t *data; size_t size; } seeds[SEEDS_MAX];
static unsigned nseeds;
static uint8_t input[INPUT_MAX];
static size_t input_size;
static uint64_t state = 0x9e3779b97f4a7c15ULL;

static void
save_input(void)
{
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, input, input_size) != (ssize_t)input_size)
		return;
	close(fd);
}

static void
on_signal(int signo)
{
	static const char text[] = "driver: the input is in crash-input\n";

	save_input();
	if (write(2, text, sizeof text - 1) < 0)
		_exit(1);
	signal(signo, SIG_DFL);
	raise(signo);
}

static uint64_t
rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct seed *s = &seeds[nseeds];

	if (f == NULL || nseeds == SEEDS_MAX) {
		fprintf(stderr, "driver: %s: %s\n", path, f ? "too many seeds" : strerror(errno));
		exit(1);
	}
	s->data = malloc(INPUT_MAX);
	if (s->data == NULL)
		exit(1);
	s->size = fread(s->data, 1, INPUT_MAX, f);
	fclose(f);
	nseeds++;
}

static void
load_all(const char *path)
{
	struct stat st;
	struct dirent *e;
	char name[1024];
	DIR *d;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		load(path);
		return;
	}
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		load(name);
	}
	if (d)
		closedir(d);
}

/* A few random changes of a random seed, parts of others included. */
static void
mutate(void)
{
	static const uint64_t interesting[] = { 0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 4096, 255, 256, 65535, 0x2f2e2e };
	const struct seed *s = nseeds ? &seeds[rnd() % nseeds] : NULL;

	input_size = s ? s->size : 0;
	if (s)
		memcpy(input, s->data, s->size);
	for (unsigned n = 1 + (unsigned)(rnd() % 8); n > 0; n--) {
		size_t at = input_size ? rnd() % input_size : 0, len;
		uint64_t v;

		switch (rnd() % 7) {
		case 0:		/* a bit */
			input[at] ^= (uint8_t)(1u << rnd() % 8);
			break;
		case 1:		/* a byte */
			input[at] = (uint8_t)rnd();
			break;
		case 2:		/* a number */
			v = interesting[rnd() % (sizeof interesting / sizeof interesting[0])];
			len = 1u << rnd() % 4;
			if (at + len <= input_size)
				memcpy(input + at, &v, len);
			break;
		case 3:		/* shorter */
			len = rnd() % (input_size - at + 1) % 32;
			memmove(input + at, input + at + len, input_size - at - len);
			input_size -= len;
			break;
		case 4:		/* longer */
			len = rnd() % 16;
			if (input_size + len > INPUT_MAX)
				break;
			memmove(input + at + len, input + at, input_size - at);
			for (size_t i = 0; i < len; i++)
				input[at + i] = (uint8_t)rnd();
			input_size += len;
			break;
		case 5:		/* the end cut off */
			if (rnd() % 4 == 0)
				input_size = at;
			break;
		default:	/* a piece of another */
			if (nseeds > 1) {
				const struct seed *o = &seeds[rnd() % nseeds];
				size_t from = o->size ? rnd() % o->size : 0;

				len = o->size - from < 64 ? o->size - from : 64;
				if (at + len <= INPUT_MAX)
					memcpy(input + at, o->data + from, len);
				if (input_size < at + len && at + len <= INPUT_MAX)
					input_size = at + len;
			}
		}
	}
}

/* The target gets memory of exactly the input's size, so that a sanitizer sees a step beyond. */
static void
run(void)
{
	uint8_t *copy = malloc(input_size ? input_size : 1);

	if (copy == NULL)
		exit(1);
	memcpy(copy, input, input_size);
	(void)LLVMFuzzerTestOneInput(copy, input_size);
	free(copy);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int
main(int argc, char **argv)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM };
	unsigned long runs = 10000, done = 0;
	uint64_t end = 0;
	int o;

	while ((o = getopt(argc, argv, "n:s:")) != -1) {
		if (o == 'n')
			runs = strtoul(optarg, NULL, 10);
		else if (o == 's')
			end = now_ms() + strtoul(optarg, NULL, 10) * 1000;
		else
			return 1;
	}
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], on_signal);
	crash_hook = save_input;
	for (int i = optind; i < argc; i++)
		load_all(argv[i]);
	for (unsigned i = 0; i < nseeds; i++) {
		alarm(HANG_S);
		input_size = seeds[i].size;
		memcpy(input, seeds[i].data, input_size);
		run();
	}
	while (end ? now_ms() < end : done < runs) {
		if (done++ % 64 == 0)
			alarm(HANG_S);
		mutate();
		run();
	}
	alarm(0);
	printf("%u seeds, %lu mutations\n", nseeds, done);
	return 0;
}
