# python3: subprocess, multiprocessing, fork, pty.
. /cases/lib
cat >mp.py <<'END'
import multiprocessing as mp, os, time
def square(x):
    return x * x
def produce(q, n):
    for i in range(n):
        q.put(i)
def count(v, l):
    for _ in range(200):
        with l:
            v.value += 1
def talk(c):
    c.send([c.recv(), "back"])
    c.close()
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        ctx = mp.get_context(method)
        with ctx.Pool(3) as p:
            print(method, p.map(square, range(8)), p.apply_async(square, (9,)).get(20))
        q = ctx.Queue()
        ps = [ctx.Process(target=produce, args=(q, 5)) for _ in range(2)]
        [p.start() for p in ps]
        print(sorted(q.get(timeout=20) for _ in range(10)))
        [p.join() for p in ps]
        v, l = ctx.Value("i", 0), ctx.Lock()
        ps = [ctx.Process(target=count, args=(v, l)) for _ in range(3)]
        [p.start() for p in ps]
        [p.join() for p in ps]
        print(v.value, [p.exitcode for p in ps])
        a, b = ctx.Pipe()
        p = ctx.Process(target=talk, args=(b,))
        p.start()
        a.send({"k": 1})
        print(a.recv())
        p.join()
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=4096)
    s.buf[:5] = b"share"
    t = shared_memory.SharedMemory(name=s.name)
    print(bytes(t.buf[:5]))
    t.close()
    s.close()
    s.unlink()
    p = mp.Process(target=time.sleep, args=(100,))
    p.start()
    p.terminate()
    p.join()
    print(p.exitcode)
END
python3 mp.py || exit 1
exec python3 - <<'END'
import os, pty, resource, select, signal, subprocess, sys, time
print(subprocess.run(["echo", "hello"], capture_output=True, text=True))
print(subprocess.run("cat; exit 3", shell=True, input=b"in", capture_output=True))
print(subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
try:
    subprocess.run(["sleep", "5"], timeout=0.1)
except subprocess.TimeoutExpired as e:
    print("timed out", e.cmd)
for cmd in (["/none"], ["/etc/passwd"]):
    try:
        subprocess.run(cmd)
    except OSError as e:
        print(type(e).__name__, e)
p1 = subprocess.Popen(["seq", "1000"], stdout=subprocess.PIPE)
p2 = subprocess.Popen(["wc", "-l"], stdin=p1.stdout, stdout=subprocess.PIPE, text=True)
p1.stdout.close()
print(p2.communicate()[0].strip(), p1.wait())
ps = [subprocess.Popen(["sh", "-c", "sleep 0.0%d; exit %d" % (i, i)]) for i in range(6)]
print([p.wait() for p in ps])
p = subprocess.Popen(["sleep", "100"], start_new_session=True)
os.killpg(p.pid, signal.SIGTERM)
print(p.wait())
print(subprocess.run(["sh", "-c", "ulimit -n"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77)), capture_output=True).stdout)
print(subprocess.check_output("echo $X; pwd", shell=True, env={"X": "env"}, cwd="/etc"))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, b"from the child")
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.read(r, 100))
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], {})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "stty -echo; tty >/dev/null && echo terminal; read x; echo got $x"])
out = b""
sent = False
while True:
    try:
        d = os.read(fd, 1000)
    except OSError:
        break
    if not d:
        break
    out += d
    if b"terminal" in out and not sent:
        os.write(fd, b"typed\n")
        sent = True
print(out, os.waitpid(pid, 0)[1])
print(os.system("exit 4") >> 8, os.popen("echo popen").read())
END
