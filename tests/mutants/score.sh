#!/usr/bin/env bash
# How many small changes of a crate its own tests notice: tests/mutants/score.sh CRATE [SHARD] [WORDS FOR CARGO-MUTANTS...]
#
# CRATE is core, raft, client or another crate of the product; SHARD a part of its mutants, `0/6` for every sixth. What is
# done already is not done again, so that a part can be stopped and gone on with; a changed source asks for a new
# beginning, without target/mutants-score/CRATE-SHARD. Fails when fewer are noticed than README.md asks for.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

crate=${1:?which crate: core, raft, client ...}
shard=${2:-0/1}
words=("${@:3}")
package=licensing-$crate
goal=85
if [[ $crate == core ]]; then
    goal=95
fi

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "error: cargo-mutants is missing" >&2
    echo "hint: cargo install cargo-mutants --locked --version 27.1.0" >&2
    exit 2
fi

# A build for each crate, kept for the next part of it; a wrapper and a build directory of whoever calls belong to another
# one. One part of a crate at a time, therefore.
export CARGO_TARGET_DIR=$PWD/target/mutants-score/build-$crate
unset RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_BUILD_DIR

out=target/mutants-score/$crate-${shard/\//-of-}
mkdir -p "$out"
touch "$out"/{caught,unviable,timeout,missed}

# Every n-th, so that a part is a sample of the whole crate. Cargo-mutants' own shards are counted anew when some are done.
if [[ ! -s $out/sample ]]; then
    cargo mutants --list --package "$package" --config "$here/score.toml" |
        awk -v k="${shard%/*}" -v n="${shard#*/}" 'NR % n == (k + 1) % n' >"$out/sample"
fi

# Takes what a pass found, also one that was stopped.
collect() {
    local what
    for what in caught unviable timeout missed; do
        cat "$out/mutants.out/$what.txt" >>"$out/$what" 2>/dev/null || true
        sort -u -o "$out/$what" "$out/$what"
    done
    rm -rf "$out/mutants.out"
    # What the first pass missed and a later one caught is caught.
    comm -23 "$out/missed" <(sort -u "$out/caught" "$out/timeout") >"$out/missed.left"
    mv "$out/missed.left" "$out/missed"
}
collect
trap collect EXIT

# try FILE WORDS...: one pass over the mutants in a file; the words are for `cargo test`. Mutants that nobody notices are no error here.
try() {
    local which=$1 status=0
    shift
    if [[ ! -s $which ]]; then
        return
    fi
    {
        cat "$here/score.toml"
        echo 'examine_re = ['
        sed -e 's/[][\\.*^$()+?{}|]/\\&/g' -e 's/[\\"]/\\&/g' -e 's/.*/    "^&$",/' "$which"
        echo ']'
    } >"$out/config.toml"
    # Shuffled, so that what was done of a part is a sample of it. No debug information: nobody looks at a mutant with a debugger.
    cargo mutants --package "$package" --shuffle --config "$out/config.toml" --output "$out" --minimum-test-timeout 60 \
        -C --config -C "profile.dev.package.$package.debug=false" "${words[@]}" -- "$@" || status=$?
    case $status in
        0 | 2 | 3) collect ;;
        *) exit "$status" ;;
    esac
}

sort "$out/sample" | comm -23 - <(sort -u "$out"/{caught,unviable,timeout,missed}) >"$out/todo"
try "$out/todo" --lib --tests
# The examples of the documentation are linked one by one: only for those that nothing else noticed.
cp "$out/missed" "$out/todo"
try "$out/todo" --doc

count() {
    wc -l <"$out/$1"
}
noticed=$(($(count caught) + $(count timeout)))
viable=$((noticed + $(count missed)))
if [[ -s $out/missed ]]; then
    sed 's/^/not noticed: /' "$out/missed"
fi
echo "$package, $shard: $(count sample) mutants, $(count unviable) do not compile; of $viable $noticed are noticed ($(count timeout) by" \
    "hanging), $(count missed) are not: $((noticed * 1000 / (viable > 0 ? viable : 1))) of 1000"
if ((noticed * 100 < goal * viable)); then
    echo "error: fewer than $goal of 100 are noticed" >&2
    exit 1
fi
