#!/usr/bin/env bash
# Fails when a sweep of the simulation leaves something of the product unrun that has no excuse in `excused.txt`:
# tests/coverage/sweep.sh [SEEDS] [FROM]
#
# Which lines ran is counted by the compiler (`-C instrument-coverage`, stable) in a build of the dev profile, with its assertions.
# Finished programs and all that is counted go to target/coverage; what lies between is shared with the ordinary build.
# LICENSING_REPORT=FILE judges a report of an earlier sweep instead.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

seeds=${1:-200}
from=${2:-1}
readonly CRATES=(licensing-core licensing-raft licensing-client licensing-daemon)

# The format of the counters is one since LLVM 19; older programs cannot read it.
readonly OLDEST=19

build=${CARGO_BUILD_BUILD_DIR:-${CARGO_TARGET_DIR:-$PWD/target}}
target=${CARGO_TARGET_DIR:-$PWD/target}/coverage

# tool NAME: where this program of LLVM is: rustup's own, which is of the compiler's version, or else the newest that is installed.
tool() {
    local name=$1 own version
    own=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/$name
    if [[ -x $own ]]; then
        echo "$own"
        return
    fi
    for version in $(seq 40 -1 "$OLDEST"); do
        if command -v "$name-$version"; then
            return
        fi
    done
    version=$("$name" --version 2>/dev/null | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p')
    if ((${version:-0} >= OLDEST)); then
        command -v "$name"
        return
    fi
    return 1
}

have_tools() {
    profdata=$(tool llvm-profdata) && cov=$(tool llvm-cov)
}

build() {
    CARGO_BUILD_BUILD_DIR=$build CARGO_TARGET_DIR=$target RUSTC_WORKSPACE_WRAPPER=$here/rustc \
        cargo build --workspace --bin sim --bin never-ran
}

# It counts its own lines too, and nobody wants to know.
judge() {
    LLVM_PROFILE_FILE=/dev/null "$target/debug/never-ran" \
        --report "$1" --excused tests/coverage/excused.txt "${CRATES[@]}"
}

if [[ -n ${LICENSING_REPORT:-} ]]; then
    build
    judge "$LICENSING_REPORT"
    exit
fi

if ! have_tools; then
    if command -v rustup >/dev/null; then
        rustup component add llvm-tools || true
    fi
    if ! have_tools; then
        echo "error: llvm-profdata and llvm-cov are missing: nothing can read what the compiler counts" >&2
        echo "hint: rustup component add llvm-tools, or LLVM $OLDEST or newer of the system (Debian: apt-get install llvm-19)" >&2
        exit 2
    fi
fi
echo "reading with $profdata and $cov" >&2

build
sim=$target/debug/sim
rm -f "$target"/sweep.*
# Seeds too few to see everything, or one that is bad, fail as well, and what never ran is told all the same.
failed=0
LLVM_PROFILE_FILE=$target/sweep.profraw "$sim" --seeds "$seeds" --from "$from" || failed=$?
"$profdata" merge -sparse "$target/sweep.profraw" -o "$target/sweep.profdata"
"$cov" export "$sim" -instr-profile="$target/sweep.profdata" -format=lcov >"$target/sweep.lcov"
judge "$target/sweep.lcov"
exit "$failed"
