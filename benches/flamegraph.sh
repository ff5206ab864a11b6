#!/usr/bin/env bash
# A flame graph of the master under load: `make flamegraph`, or benches/flamegraph.sh CLIENTS SECONDS FILE.svg.
#
# The programs are built with frame pointers, in a target directory of their own, and the primary is looked at from the
# first measured second of `load` on. It needs no counters of the processor, so it works in virtual machines too.
set -euo pipefail
if [[ $# != 3 ]]; then
    echo "usage: $0 CLIENTS SECONDS FILE.svg" >&2
    exit 2
fi
clients=$1 seconds=$2 picture=$(realpath --canonicalize-missing "$3")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# need PROGRAM HINT: ends the script when a program is missing.
need() {
    if ! command -v "$1" >/dev/null; then
        echo "error: $1 is missing" >&2
        echo "hint: $2" >&2
        exit 2
    fi
}
need perf "apt-get install linux-perf (Debian) or linux-tools-generic (Ubuntu)"
need inferno-collapse-perf "cargo install inferno --locked"
need inferno-flamegraph "cargo install inferno --locked"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/flame
RUSTFLAGS="-C force-frame-pointers=yes" cargo build --release -p licensing-benches --bin load

mkdir -p "$(dirname "$picture")"
directory=$(mktemp -d)
load=
# The servers end with the program that started them.
trap '[[ -z $load ]] || kill "$load" 2>/dev/null || true; rm -rf "$directory"' EXIT
"$CARGO_TARGET_DIR/release/load" --clients "$clients" --seconds $((seconds + 2)) >"$directory/result" 2>"$directory/talk" &
load=$!
# `load` tells its rate once a second while it measures, after the limits of the machine and the warm-up.
until grep -q 'ops/s$' "$directory/talk"; do
    if ! kill -0 "$load" 2>/dev/null; then
        cat "$directory/talk" >&2
        exit 2
    fi
    sleep 0.1
done
if ! primary=$(pgrep -P "$load" -f -- '--role primary'); then
    echo "error: $load has started no primary" >&2
    exit 2
fi
# 499 and not 500 looks a second: not in step with anything that happens every millisecond.
record() {
    perf record --event cpu-clock --freq 499 --call-graph fp --pid "$primary" --output "$directory/perf.data" \
        -- sleep "$seconds" >"$directory/perf" 2>&1
}
# A thread that ends while perf goes through them makes it give up.
if ! { record || record || record; }; then
    cat "$directory/perf" >&2
    exit 2
fi
if ! wait "$load"; then
    cat "$directory/talk" >&2
    exit 2
fi
load=
cat "$directory/result"
# What is less than a thousandth of the whole is not drawn: it would only make the file large.
perf script --no-inline --input "$directory/perf.data" 2>/dev/null |
    inferno-collapse-perf --quiet |
    inferno-flamegraph --quiet --minwidth 0.1 --countname nanoseconds --title "The master's processor time, by thread" \
        --subtitle "$clients clients, $seconds s, $(git describe --always --dirty)" >"$picture"
echo "$picture: $(($(stat --format %s "$picture") / 1024)) KiB"
