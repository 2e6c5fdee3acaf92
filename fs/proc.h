/*
 * proc: the synthetic tree of /proc, and the frame that /sys shares.  proc(5).
 *
 * A name is a row of a table (struct proc_entry): a text made on demand, a symlink, or a
 * directory of more rows, of tasks or of descriptors.  Rows are static; an inode is one row
 * seen for one task.  Nothing is remembered between two opens.
 */
#ifndef FS_PROC_H
#define FS_PROC_H

#include "base/strbuf.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/path.h"

struct mm;
struct task;
struct proc_inode;

/* Writes the text of a file; t is who reads, subject whom the directory is about (NULL outside /proc/PID). */
typedef void proc_show_fn(struct task *t, struct proc_inode *p, struct strbuf *sb);
/* The same of a file about memory: that which the task had when the file was opened, as long as it has it. */
typedef void proc_show_mm_fn(struct mm *mm, struct strbuf *sb);

struct proc_entry {
	const char	*name;
	uint32_t	 mode;		/* type and permissions */
	proc_show_fn	*show;		/* regular files: one of these two */
	proc_show_mm_fn	*show_mm;	/* owner_only */
	int64_t		(*write)(struct task *t, struct proc_inode *p, const char *text, size_t len);
	int		(*link)(struct task *t, struct proc_inode *p, char *buf, size_t size);	/* symlinks: text */
	int		(*follow)(struct task *t, struct proc_inode *p, struct path *out);	/* magic links */
	const struct proc_entry *children;	/* directories: rows, ending with a NULL name */
	int		(*permission)(struct task *t, struct proc_inode *p, int err);	/* the last word, after the mode's; or NULL */
	/* Directories with names that come and go: beside the rows. */
	int		(*lookup)(struct task *t, struct proc_inode *dir, const char *name, struct inode **out);
	int		(*readdir)(struct file *f, struct task *t, struct proc_inode *dir, struct dirsink *d);
	bool		 bytes;		/* once the task is gone it is empty, and not an error */
	bool		 at_open;	/* the text is that of the moment when the file was opened */
	bool		 owner_only;	/* text shows only to who may inspect the task (environ, maps, mem ...) */
	bool		 mem;		/* the file is the task's memory */
	bool		 strict;	/* the mode binds root as well (/proc/sys) */
	bool		 of_mounts;	/* poll(2) tells of changes of mounts */
};

struct proc_inode {
	struct inode	 inode;		/* first */
	const struct proc_entry *e;	/* [I] */
	struct task	*task;		/* [I] counted; NULL outside /proc/PID */
	int32_t		 fd;		/* [I] of fd/N, fdinfo/N; -1 */
	const char	*text;		/* [I] for generic rows */
};

/* Positions of dynamic names begin here; rows use 2 and up. */
#define PROC_POS_DYNAMIC	0x10000

/* A new inode for a row. -ENOMEM. */
int proc_inode_new(struct super *s, const struct proc_entry *e, struct task *task, int32_t fd, struct inode **out) MUST_CHECK;
/* 0, or -EACCES: may t look into subject (ptrace(2), read access)? */
int proc_may_inspect(struct task *t, struct task *subject) MUST_CHECK;
/* A super whose root is row e. */
int proc_super_new(const char *fstype, uint64_t magic, const struct proc_entry *root, struct super **out) MUST_CHECK;

/* The process whose directory in /proc f is, counted; NULL. */
struct process *proc_dir_process(struct file *f);

extern const struct proc_entry proc_task_dir, proc_thread_dir;	/* /proc/PID, /proc/PID/task/TID */
extern const struct proc_entry proc_sys_rows[];			/* /proc/sys */

int proc_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;
int sysfs_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;

#endif
