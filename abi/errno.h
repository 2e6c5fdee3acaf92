/* errno: Linux's numbers, and the restart codes that never reach a guest (task_run.c turns them). */
#ifndef ABI_ERRNO_H
#define ABI_ERRNO_H

#include <asm/errno.h>

#define ERESTARTSYS		512	/* restart if SA_RESTART, else EINTR */
#define ERESTARTNOINTR		513	/* always restart */
#define ERESTARTNOHAND		514	/* restart unless a handler ran */
#define ERESTART_RESTARTBLOCK	516	/* restart through restart_syscall */

#endif
