/*
 * What the measuring programs share: a clock, a median, and a line of output.
 *
 * A line is "name<TAB>value<TAB>unit", or "name<TAB>-<TAB>why it could not be measured".
 * run.sh collects the lines of several runs, and report.awk puts them side by side.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static inline int
double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double
median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, double_cmp);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static inline void
print_value(const char *name, double value, const char *unit)
{
	printf("%s\t%.1f\t%s\n", name, value, unit);
	fflush(stdout);
}

static inline void
print_failure(const char *name, const char *what, int err)
{
	printf("%s\t-\t%s%s%s\n", name, what, err ? ": " : "", err ? strerror(err) : "");
	fflush(stdout);
}

#endif
