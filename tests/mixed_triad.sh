#!/usr/bin/env bash
# A triad of real servers of two versions: builds the version before and upgrades its triad to this one, server by server, under
# load (tests/tests/mixed_triad.rs).
#
#   tests/mixed_triad.sh            the newest release in docs/releases.md that is not this commit
#   tests/mixed_triad.sh COMMIT     another commit
#   tests/mixed_triad.sh PROGRAM    a licensing-server that is built already
#
# While there is no release there is no version before; it says so then, and all is well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TREE=target/before/tree
readonly BUILT=target/before/target

commit_of() {
    git rev-parse --verify --quiet "$1^{commit}"
}

# The newest commit in the table that is not the one checked out, if any.
newest_release() {
    local head found="" commit cell
    head=$(commit_of HEAD)
    while read -r cell; do
        if commit=$(commit_of "$cell") && [[ $commit != "$head" ]]; then
            found=$commit
        fi
    done < <(sed -nE 's/^\| [0-9.]+ \| ([^ |]+) \|.*/\1/p' docs/releases.md)
    printf '%s' "$found"
}

discard_tree() {
    git worktree remove --force "$TREE" 2>/dev/null || true
    git worktree prune
}

# Its third-party crates stay in BUILT, for the next time.
build() {
    discard_tree
    trap discard_tree EXIT
    git worktree add --quiet --detach "$TREE" "$1"
    (cd "$TREE" && CARGO_TARGET_DIR="$OLDPWD/$BUILT" cargo build --locked --package licensing-server)
    discard_tree
    trap - EXIT
}

main() {
    local wanted=${1:-} before
    if [[ -n $wanted && -x $wanted && ! -d $wanted ]]; then
        before=$(realpath "$wanted")
    else
        local commit
        if [[ -z $wanted ]]; then
            commit=$(newest_release)
        elif ! commit=$(commit_of "$wanted"); then
            echo "error: $wanted is neither a program nor a commit" >&2
            exit 2
        fi
        if [[ -z $commit ]]; then
            echo "SKIPPED: docs/releases.md names no commit of a version before this one, so there is no mixed triad yet"
            exit 0
        fi
        echo "the version before is $commit"
        build "$commit"
        before=$PWD/$BUILT/debug/licensing-server
    fi
    LICENSING_BEFORE=$before cargo test --workspace --test mixed_triad -- --nocapture
}

main "$@"
