# git: a repository of its own, a clone of it, branches, merges, conflicts.
. /cases/lib
GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@x GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' GIT_PAGER=cat
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE GIT_PAGER
git config --global init.defaultBranch main; git config --global advice.detachedHead false; git config --global gc.auto 0
git init -q repo && cd repo || exit 1
mkdir -p dir/sub; seq 100 >numbers; echo hello >dir/sub/file; ln -s numbers link; printf '#!/bin/sh\necho run\n' >script; chmod +x script
git add . && git commit -q -m first && git log --format='%H %an %s'
git status --short; git ls-files -s | cut -c1-60
sed -i '50s/.*/changed/' numbers; git diff; git commit -qam second
git checkout -q -b side HEAD~1; sed -i '1s/.*/top/' numbers; git commit -qam side; git checkout -q main; git merge -q -m merged side; echo "merge $?"; head -n 1 numbers; sed -n 50p numbers
git log --oneline --graph | cat; git rev-parse HEAD; git cat-file -p HEAD | head -n 3; git show --stat HEAD~1 | tail -n 3
git checkout -q -b conflict HEAD~1; sed -i '50s/.*/other/' numbers; git commit -qam conflicting; git checkout -q main; sed -i '50s/.*/mine/' numbers; git commit -qam mine; git merge conflict; echo "conflict $?"; git diff --name-only --diff-filter=U; git merge --abort
git tag v1 && git tag -a -m annotated v2 && git tag -l; git stash list; echo x >>numbers; git stash -q; git stash pop -q; git status --short; git checkout -q numbers
cd .. && git clone -q repo clone 2>&1 && cd clone && git log --format=%s | head -n 3 && cat dir/sub/file && ./script && readlink link
echo new >new; git add new; git commit -qm from-clone; git push -q origin HEAD:refs/heads/pushed; cd ../repo || exit 1; git log -1 --format=%s pushed
git clone -q --bare . ../bare.git; git clone -q --depth 1 "file:///tmp/work/repo" ../shallow 2>&1; git -C ../shallow log --oneline | wc -l; git -C ../bare.git rev-parse main
git gc -q; git count-objects -v | grep -E 'packs|in-pack'; git fsck --no-progress 2>&1; echo "fsck $?"; git repack -adq; git rev-list --all | wc -l
git rebase -q side conflict 2>/dev/null; echo "rebase $?"; git checkout -q main; git cherry-pick conflict >/dev/null 2>&1; echo "pick $?"; git cherry-pick --abort 2>/dev/null
git archive HEAD | tar -tf - | sort; git grep -n hello; git blame -s numbers | sed -n 50p | cut -c10-; git bisect start -q HEAD HEAD~2 >/dev/null 2>&1; git bisect reset -q 2>/dev/null; git worktree add -q ../wt side && ls ../wt; git reflog | wc -l
mkdir many; for i in $(seq 200); do echo $i >many/$i; done; git add many; git commit -qm many; git rm -rq many; git commit -qm removed; git ls-files | wc -l; git log --format=%s | head -n 2; git status --short | wc -l
