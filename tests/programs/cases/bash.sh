# bash: what it has more than sh.
. /cases/lib
exec bash /cases/bash.bash
