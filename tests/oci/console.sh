# create --console-socket: the terminal's master is sent over a socket.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"

b=$WORK/bundle
make_bundle "$b" '[ "/bin/sh", "-c", "tty; stty size; read line; echo got $line; sleep 100" ]'
sed -i 's/"terminal": false/"terminal": true, "consoleSize": { "height": 20, "width": 50 }/' "$b/config.json"
cat >"$WORK/console.py" <<'END'
import array, os, select, socket, sys, time
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(1)
s.settimeout(15)
c, _ = s.accept()
_, anc, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
fds = array.array("i")
fds.frombytes(anc[0][2][:4])
m = fds[0]
print("master is a terminal:", os.isatty(m), flush=True)
text = b""
sent = False
end = time.time() + 10
while time.time() < end and b"got typed" not in text:
    if select.select([m], [], [], 0.1)[0]:
        try:
            text += os.read(m, 1000)
        except OSError:
            break
    if b"20 50" in text and not sent:
        os.write(m, b"typed\n")
        sent = True
print(text.decode().replace("\r", ""), flush=True)
END
python3 "$WORK/console.py" "$WORK/sock" >"$WORK/py" 2>&1 &
py=$!
until_ok test -S "$WORK/sock"
oci create --bundle "$b" --console-socket "$WORK/sock" con
is_status 0 "create --console-socket"
oci start con
is_status 0 "start"
wait $py
out=$(cat "$WORK/py")
out_has 'master is a terminal: True' "a terminal is sent"
out_has '^/dev/(pts/[0-9]+|console)' "the container has it"
out_has '^20 50$' "consoleSize"
out_has '^got typed$' "input arrives"
oci delete --force con
is_status 0 "delete"

oci create --bundle "$b" --console-socket "$WORK/nosocket" con
ok "a missing socket fails" test "$status" != 0
err_has 'nosocket' "a missing socket"
oci create --bundle "$b" con2
ok "a terminal without a socket fails" test "$status" != 0
oci delete --force con
oci delete --force con2
ok "nothing left" until_ok none_left
