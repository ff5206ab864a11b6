#!/usr/bin/env bash
# How many instructions the pure core needs for one piece of work, counted by callgrind: `make instructions`.
#
# Each piece is done some times and then twice as many times, by a program that prepares the same for both
# (benches/examples/core_work.rs). The difference, divided, is the work alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v valgrind >/dev/null; then
    echo "error: valgrind is missing" >&2
    echo "hint: apt-get install valgrind" >&2
    exit 2
fi
cargo build --release -p licensing-benches --example core_work
program=${CARGO_TARGET_DIR:-target}/release/examples/core_work

# collected WORK LIVE TIMES: all instructions of one run.
collected() {
    local told
    if ! told=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1); then
        printf 'error: core_work %s failed under valgrind:\n%s\n' "$*" "$told" >&2
        return 1
    fi
    awk '/Collected :/ { print $NF }' <<<"$told"
}

# row WORDS WORK LIVE TIMES PARTS: a line of the table; PARTS is how many of what WORDS name are in one piece of work.
row() {
    local words=$1 work=$2 live=$3 times=$4 parts=$5 once twice
    once=$(collected "$work" "$live" "$times")
    twice=$(collected "$work" "$live" $((times * 2)))
    printf '%-58s %9d\n' "$words" $(((twice - once) / times / parts))
}

printf '%-58s %9s\n' "instructions ($(valgrind --version), $(uname -m))" each
row "a checkout to an entry of the log" encode 0 10000 1
row "an entry of the log to a checkout" decode 0 10000 1
row "an entry decoded and applied, no live checkouts" apply 0 10000 1
row "an entry decoded and applied, 10,000 live checkouts" apply 10000 10000 1
row "an entry decoded and applied, 100,000 live checkouts" apply 100000 10000 1
row "a snapshot of 10,000 checkouts written, per checkout" write 10000 10 10000
row "a snapshot of 10,000 checkouts read, per checkout" read 10000 5 10000
