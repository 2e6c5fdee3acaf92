# python3: threads, queues, asyncio, signals, timers.
. /cases/lib
exec python3 - <<'END'
import asyncio, concurrent.futures, os, queue, select, signal, socket, threading, time
n = 0
lock = threading.Lock()
def add():
    global n
    for _ in range(1000):
        with lock:
            n += 1
ts = [threading.Thread(target=add) for _ in range(8)]
[t.start() for t in ts]
[t.join() for t in ts]
print("counted", n)
q = queue.Queue(5)
got = []
def consume():
    while (x := q.get()) is not None:
        got.append(x)
c = threading.Thread(target=consume)
c.start()
for i in range(200):
    q.put(i)
q.put(None)
c.join()
print("queue", len(got), got == list(range(200)))
with concurrent.futures.ThreadPoolExecutor(4) as ex:
    print("pool", list(ex.map(lambda x: x * x, range(10))))
e = threading.Event()
threading.Timer(0.05, e.set).start()
print("event", e.wait(5))
print("timeout", threading.Event().wait(0.05))
cond = threading.Condition()
done = []
def waiter():
    with cond:
        cond.wait()
        done.append(1)
ws = [threading.Thread(target=waiter) for _ in range(5)]
[w.start() for w in ws]
time.sleep(0.1)
with cond:
    cond.notify_all()
[w.join() for w in ws]
print("woken", len(done))
b = threading.Barrier(4)
r = []
def meet():
    b.wait()
    r.append(1)
ms = [threading.Thread(target=meet) for _ in range(4)]
[m.start() for m in ms]
[m.join() for m in ms]
print("met", len(r))
tl = threading.local()
def local():
    tl.x = threading.current_thread().name
    return tl.x
print("local", hasattr(tl, "x"))
hits = []
signal.signal(signal.SIGALRM, lambda s, f: hits.append(s))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
t = time.monotonic()
while len(hits) < 3 and time.monotonic() - t < 5:
    time.sleep(0.01)
signal.setitimer(signal.ITIMER_REAL, 0)
print("alarms", len(hits) >= 3)
signal.signal(signal.SIGUSR1, lambda s, f: hits.append("usr1"))
os.kill(os.getpid(), signal.SIGUSR1)
print(hits[-1])
async def co(i):
    await asyncio.sleep(0.01 * i)
    return i
async def main():
    print("gather", await asyncio.gather(*(co(i) for i in range(5))))
    p = await asyncio.create_subprocess_exec("echo", "from a subprocess", stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate()
    print(out, p.returncode)
    async def serve(r, w):
        w.write((await r.readline()).upper())
        await w.drain()
        w.close()
    s = await asyncio.start_unix_server(serve, "aio.sock")
    r, w = await asyncio.open_unix_connection("aio.sock")
    w.write(b"hello\n")
    print(await r.read())
    w.close()
    s.close()
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.05)
    except asyncio.TimeoutError:
        print("timed out")
asyncio.run(main())
END
