/* main: the gofer process, village-gofer. */
#ifndef GOFER_MAIN_H
#define GOFER_MAIN_H

/* Serves until the sentry is gone; returns the exit status. argv: --mounts N flag... (ro or rw). */
int gofer_main(int argc, char **argv);

#endif
