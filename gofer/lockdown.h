/* lockdown: the gofer gives up all that serving files does not need. */
#ifndef GOFER_LOCKDOWN_H
#define GOFER_LOCKDOWN_H

#include "base/base.h"

/* After every descriptor it will ever hold by name is open. */
int gofer_lockdown(void) MUST_CHECK;

#endif
