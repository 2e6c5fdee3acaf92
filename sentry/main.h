/* main: the sentry process, village-sentry; its descriptors are in base/boot.h. */
#ifndef SENTRY_MAIN_H
#define SENTRY_MAIN_H

/* argv: --verbose or --debug for a more talkative log. Never returns normally. */
int sentry_main(int argc, char **argv);

#endif
