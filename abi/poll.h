/* poll: structs of poll(2), select(2) and epoll(7). */
#ifndef ABI_POLL_H
#define ABI_POLL_H

#include <stdint.h>

struct abi_pollfd { int32_t fd; int16_t events, revents; };
struct abi_epoll_event { uint32_t events; uint64_t data; } __attribute__((packed));
_Static_assert(sizeof(struct abi_epoll_event) == 12, "struct epoll_event on x86-64");

/* The sixth argument of pselect6. */
struct abi_sigset_arg { uint64_t set, size; };

#endif
