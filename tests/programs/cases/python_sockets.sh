# python3: sockets of AF_UNIX, select, poll, epoll, passing descriptors.
. /cases/lib
exec python3 - <<'END'
import array, os, select, selectors, socket, socketserver, struct, threading
a, b = socket.socketpair()
a.sendall(b"x" * 100000 if False else b"hello")
print(b.recv(100))
srv = socket.socket(socket.AF_UNIX)
srv.bind("s")
srv.listen(5)
def echo():
    c, addr = srv.accept()
    with c:
        while data := c.recv(4096):
            c.sendall(data.upper())
t = threading.Thread(target=echo)
t.start()
c = socket.socket(socket.AF_UNIX)
c.connect("s")
c.sendall(b"echo me")
print(c.recv(100), c.getpeername(), srv.getsockname())
pid, uid, gid = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print(pid == os.getpid(), uid, gid)
big = b"0123456789" * 50000
def send():
    c.sendall(big)
    c.shutdown(socket.SHUT_WR)
st = threading.Thread(target=send)
st.start()
got = b""
while d := c.recv(65536):
    got += d
print(len(got), got == big)
st.join()
t.join()
d1 = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
d1.bind("d1")
d2 = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
d2.bind("d2")
d2.sendto(b"datagram", "d1")
print(d1.recvfrom(100))
ab = socket.socket(socket.AF_UNIX)
ab.bind("\0village-abstract")
ab.listen(1)
ac = socket.socket(socket.AF_UNIX)
ac.connect("\0village-abstract")
print("abstract", ab.accept()[0].fileno() > 2)
r, w = os.pipe()
socket.send_fds(a, [b"fds"], [w])
msg, fds, flags, addr = socket.recv_fds(b, 10, 2)
os.write(fds[0], b"through it")
print(msg, len(fds), os.read(r, 100))
print(select.select([r], [w], [], 0)[1] == [w])
os.write(w, b"x")
p = select.poll()
p.register(r, select.POLLIN)
print(len(p.poll(1000)))
ep = select.epoll()
ep.register(r, select.EPOLLIN)
print([e for _, e in ep.poll(1)])
sel = selectors.DefaultSelector()
sel.register(b, selectors.EVENT_READ, "b")
a.send(b"ready")
print([k.data for k, _ in sel.select(1)])
a.settimeout(0.05)
try:
    a.recv(1)
except socket.timeout:
    print("timed out")
for f in (lambda: socket.socket(socket.AF_UNIX).connect("none"), lambda: socket.socket(socket.AF_UNIX).connect("d1"), lambda: socket.socket(socket.AF_UNIX).bind("s")):
    try:
        f()
    except OSError as e:
        print(e)
b.close()
try:
    a.send(b"x")
    a.send(b"x")
except OSError as e:
    print(type(e).__name__)
class H(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"line: " + self.rfile.readline())
class S(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
s = S("server", H)
threading.Thread(target=s.serve_forever, daemon=True).start()
out = []
def client(i):
    c = socket.socket(socket.AF_UNIX)
    c.connect("server")
    c.sendall(b"%d\n" % i)
    out.append(c.makefile().read())
cs = [threading.Thread(target=client, args=(i,)) for i in range(10)]
[x.start() for x in cs]
[x.join() for x in cs]
print(sorted(out))
s.shutdown()
END
