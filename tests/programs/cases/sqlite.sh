# sqlite3 with its journals and locks.
. /cases/lib
for mode in delete truncate persist wal memory off; do
	rm -f t.db*
	sqlite3 t.db "pragma journal_mode=$mode; create table t (a integer primary key, b text); insert into t select value, 'row ' || value from generate_series(1, 500);" 2>/dev/null ||
	    sqlite3 t.db "pragma journal_mode=$mode; create table t (a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<500) insert into t select x, 'row ' || x from c;"
	sqlite3 t.db "begin; delete from t where a > 100; rollback; select count(*) from t; begin; update t set b = 'x' where a <= 10; commit; select count(*) from t where b = 'x'; pragma integrity_check;"
	ls t.db* | tr '\n' ' '; echo
done
sqlite3 t.db "pragma journal_mode=wal;" "select sum(a) from t;" ".schema" "vacuum;" "select count(*) from t;"
# a writer holds the database, another is told so
rm -f l.db; sqlite3 l.db 'create table t (a);'
mkfifo go; (sqlite3 l.db <go &) ; exec 4>go; echo 'begin exclusive; insert into t values (1);' >&4; sleep 0.3
sqlite3 l.db 'insert into t values (2);' 2>&1; echo $?
echo 'commit;' >&4; exec 4>&-; sleep 0.3; sqlite3 -cmd '.timeout 5000' l.db 'insert into t values (3); select count(*) from t;'
# several writers at once
sqlite3 l.db 'pragma journal_mode=wal;' >/dev/null
for i in 1 2 3 4; do (for j in 1 2 3 4 5; do sqlite3 -cmd '.timeout 20000' l.db "insert into t values ($i$j);"; done) & done; wait; sqlite3 l.db 'select count(*) from t;'
# a writer that is killed: its journal is rolled back by the next
rm -f k.db; sqlite3 k.db 'create table t (a); insert into t values (1);'
mkfifo go2; sqlite3 k.db <go2 & p=$!; exec 5>go2; echo 'pragma cache_size=1; begin; with recursive c(x) as (select 1 union all select x+1 from c where x<5000) insert into t select x from c;' >&5; sleep 0.5; kill -9 $p; wait $p 2>/dev/null; exec 5>&-
sqlite3 k.db 'select count(*) from t; pragma integrity_check;'; ls k.db*
sqlite3 :memory: "create table a (x); insert into a values (1), (2), (3); select group_concat(x) from a; select hex(zeroblob(4)), upper('abc'), strftime('%Y', 0, 'unixepoch');"
sqlite3 -csv t.db "select * from t limit 2;" ; sqlite3 t.db .dump | sqlite3 copy.db && sqlite3 copy.db 'select count(*) from t;'; sqlite3 t.db ".backup b.db"; sqlite3 b.db 'select max(a) from t;'
