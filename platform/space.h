/* space: what systrap.c and ptrace.c share with space.c; private to platform/. */
#ifndef PLATFORM_SPACE_H
#define PLATFORM_SPACE_H
/* Filled in by the platform's author. */
#endif
