# spec, --version, help, syscalls, features.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

run "$VILLAGE" --version
is_status 0 "--version"
out_has '^village version [0-9]' "--version"
out_has 'spec: 1\.' "--version names the spec"
run "$VILLAGE" help
is_status 0 "help"
for c in "do" run create start state kill delete exec list spec help syscalls debug; do
	out_has "\\b$c\\b" "help mentions $c"
done
run "$VILLAGE" --help
is_status 0 "--help"
run "$VILLAGE" "do" --help
is_status 0 "do --help"
out_has '--rootfs' "do --help"
mkdir "$WORK/b"
cd "$WORK/b" || exit 1
run "$VILLAGE" spec
is_status 0 "spec"
ok "spec writes config.json" test -s config.json
if command -v python3 >/dev/null; then
	ok "spec: it is JSON" python3 -m json.tool config.json
fi
ok "spec: has a process" grep -q '"args"' config.json
run "$VILLAGE" spec
ok "spec does not overwrite" test "$status" != 0
err_has 'config.json' "spec does not overwrite"
# what spec writes can be run
cp -a "$ROOT" rootfs
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"true"/' config.json
oci run --bundle "$WORK/b" x
is_status 0 "the bundle of spec runs: $err"

run "$VILLAGE" syscalls
is_status 0 "syscalls"
out_has '^ *0 +read\b' "syscalls: read"
out_has '^ *60 +exit\b' "syscalls: exit"
ok "syscalls: more than 300" test "$(wc -l <<<"$out")" -ge 300
# the table does not claim what is not there
run "$VILLAGE" syscalls
n=$(grep -Eic 'uselib' <<<"$out")
equal "$n" 1 "syscalls: obsolete calls are listed once"
