# python3: files, json, tempfile, sqlite3, os.
. /cases/lib
exec python3 - <<'END'
import collections, datetime, hashlib, io, json, math, os, pathlib, pickle, random, re, shutil, sqlite3, stat, struct, sys, tempfile, zlib
print("version", sys.version_info.major, sys.argv)
print(json.dumps({"b": [1, 2.5, None, True], "a": "\u00e9"}, sort_keys=True), json.loads('{"x": [1, {"y": 2}]}'))
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d)
    (p / "f").write_text("text\n" * 1000)
    print((p / "f").stat().st_size, (p / "f").read_text().count("\n"))
    (p / "sub").mkdir()
    os.symlink("f", p / "l")
    os.link(p / "f", p / "h")
    print(sorted(x.name for x in p.iterdir()), os.readlink(p / "l"), os.stat(p / "f").st_nlink)
    os.chmod(p / "f", 0o600)
    print(oct(stat.S_IMODE(os.stat(p / "f").st_mode)))
    os.utime(p / "f", (1000000001, 1000000002))
    print(os.stat(p / "f").st_mtime)
    shutil.copytree(p, p / "sub" / "copy", symlinks=True, ignore=shutil.ignore_patterns("sub"))
    print(sorted(os.listdir(p / "sub" / "copy")))
    for root, dirs, files in sorted(os.walk(p)):
        print(os.path.relpath(root, p), sorted(dirs), sorted(files))
    shutil.make_archive(str(p / "a"), "zip", p / "sub")
    print((p / "a.zip").exists())
print(os.path.exists(d))
with tempfile.TemporaryFile() as f:
    f.write(b"x" * 100000)
    f.seek(5)
    print(f.tell(), len(f.read()))
with tempfile.NamedTemporaryFile() as f:
    print(oct(os.fstat(f.fileno()).st_mode))
    import mmap
    f.write(b"0" * 8192)
    f.flush()
    m = mmap.mmap(f.fileno(), 8192)
    m[0:3] = b"abc"
    m.flush()
    f.seek(0)
    print(f.read(5))
    m.close()
db = sqlite3.connect("t.db")
db.execute("create table t (a integer primary key, b text)")
with db:
    db.executemany("insert into t (b) values (?)", [(str(i),) for i in range(1000)])
print(db.execute("select count(*), sum(a) from t").fetchone())
try:
    with db:
        db.execute("insert into t values (1, 'twice')")
except sqlite3.IntegrityError as e:
    print("refused", e)
db.execute("pragma journal_mode=wal")
with db:
    db.execute("delete from t where a % 2 = 0")
print(db.execute("select count(*) from t").fetchone(), sorted(f for f in os.listdir(".") if f.startswith("t.db")))
db.close()
print(hashlib.sha256(b"x").hexdigest()[:16], zlib.crc32(b"x"), struct.pack("<IH", 1, 2), len(pickle.dumps(list(range(100)))))
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), math.factorial(30), datetime.datetime.fromtimestamp(0, datetime.timezone.utc).isoformat())
random.seed(1)
print(random.random(), len(os.urandom(16)), os.getcwd(), os.getuid(), os.environ["HOME"])
for f in (lambda: open("/none"), lambda: open("/"), lambda: os.mkdir("/tmp"), lambda: os.rmdir("/"), lambda: os.read(99, 1), lambda: os.kill(999999, 0)):
    try:
        f()
    except OSError as e:
        print(type(e).__name__, e)
print(os.get_terminal_size.__name__, os.cpu_count() > 0, os.sysconf("SC_PAGE_SIZE"), len(os.sched_getaffinity(0)) > 0)
r, w = os.pipe()
os.set_blocking(r, False)
try:
    os.read(r, 1)
except BlockingIOError as e:
    print(e)
print(sum(i * i for i in range(100000)))
print(len([bytearray(1 << 20) for _ in range(50)]))
END
