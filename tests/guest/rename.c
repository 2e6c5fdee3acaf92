/* rename, renameat2: what may replace what. */
#include "guest.h"

static void
reset(void)
{
	rm_tree(AT_FDCWD, "w");
	mkdir("w", 0755);
	chdir("w");
	put("f", "f");
	put("g", "g");
	mkdir("d", 0755);
	mkdir("e", 0755);
	mkdir("full", 0755);
	put("full/x", "x");
	symlink("f", "l");
	symlink("d", "dl");
}

int
main(void)
{
	scratch();
	reset();
	S(rename, "none", "x");
	S(rename, "f", "none/x");
	S(rename, "f", "g/x");
	S(rename, "f", "d");
	S(rename, "d", "f");
	S(rename, "d", "full");
	S(rename, "full", "d");
	P("%s %s", look("full"), look("d/x"));
	S(rename, "f", "f");
	S(rename, "f", "g");
	P("f %s g %s", look("f"), cat("g"));
	S(rename, "d", "d/sub");
	S(rename, "d", "d/../d/sub");
	S(rename, "d/..", "q");
	S(rename, ".", "q");
	S(rename, "e", ".");
	S(rename, "e", "d/..");
	S(rename, "g/", "h");
	S(rename, "g", "h/");
	S(rename, "e/", "e2/");
	P("%s", look("e2"));
	S(rename, "", "x");
	S(rename, "g", "");
	S(rename, BAD, "x");
	S(rename, "g", BAD);
	S(rename, "l", "d");
	S(rename, "l", "g");
	P("g %s", look("g"));
	S(rename, "dl/", "dl2");
	S(rename, "dl", "dl2");
	P("dl2 %s", look("dl2"));
	chdir("..");
	reset();
	link("f", "hard");
	S(rename, "f", "hard");
	P("both stay: %s %s", look("f"), look("hard"));
	unlink("hard");
	S(renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE);
	S(renameat2, AT_FDCWD, "f", AT_FDCWD, "h", RENAME_NOREPLACE);
	P("h %s", cat("h"));
	S(renameat2, AT_FDCWD, "h", AT_FDCWD, "g", RENAME_EXCHANGE);
	P("h %s g %s", cat("h"), cat("g"));
	S(renameat2, AT_FDCWD, "h", AT_FDCWD, "full", RENAME_EXCHANGE);
	P("h %s full %s", look("h"), cat("full"));
	S(renameat2, AT_FDCWD, "h", AT_FDCWD, "none", RENAME_EXCHANGE);
	S(renameat2, AT_FDCWD, "d", AT_FDCWD, "d/sub", RENAME_EXCHANGE);
	S(renameat2, AT_FDCWD, "h", AT_FDCWD, "g", RENAME_EXCHANGE | RENAME_NOREPLACE);
	S(renameat2, AT_FDCWD, "h", AT_FDCWD, "g", 0x40);
	S(renameat2, -1, "h", AT_FDCWD, "g", 0);
	/* the new name is read when the old one's directory is there */
	S(rename, "", BAD);
	S(rename, BAD, "");
	S(rename, "none", BAD);
	S(rename, "none/x", BAD);
	S(renameat2, -1, "h", AT_FDCWD, BAD, 0);
	S(renameat2, AT_FDCWD, BAD, AT_FDCWD, BAD, 0x40);
	S(renameat2, AT_FDCWD, "", AT_FDCWD, BAD, 0x40);
	S(renameat2, AT_FDCWD, "h", -1, "g", 0);
	/* the open file follows its name; a directory's .. follows as well */
	chdir("..");
	reset();
	int fd = open("f", O_RDONLY);
	char b[4] = "";
	rename("f", "d/moved");
	S(read, fd, b, 1);
	mkdir("e/inner", 0755);
	chdir("e/inner");
	rename("../../e/inner", "../../d/inner");
	P("through ..: %s", look("../moved"));
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat st;
	utimensat(AT_FDCWD, "../moved", old, 0);
	rename("../moved", "../again");
	stat("../again", &st);
	P("mtime kept %s, ctime moved %s", st.st_mtime == 1000 ? "yes" : "no", st.st_ctime > 1000 ? "yes" : "no");
	chdir("/");
	S(rename, "/", "/x");
	return 0;
}
