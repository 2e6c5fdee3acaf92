/* uts: the names under which this kernel goes in uname(2) and /proc. */
#ifndef ABI_UTS_H
#define ABI_UTS_H

/* The Linux whose behaviour is the model; programs choose features by it. */
#define UTS_RELEASE	"6.1.0-village"
#define UTS_VERSION	"#1 SMP PREEMPT_DYNAMIC Village"

#endif
