.PHONY: verify seeds fix bench instructions flamegraph demo fuzz mutants score coverage mixed package nightly

# What a change must pass; changes no file of the checkout. The same as .ci/run.
verify:
	./.ci/run

# The fresh seeds that this content will be put to the test with once it is committed: all files as they lie here, added or not.
seeds:
	@index=$$(mktemp) && rm "$$index" && export GIT_INDEX_FILE="$$index" && git read-tree HEAD && git add -A && \
		tree=$$(git write-tree) && rm -f "$$index" && unset GIT_INDEX_FILE && \
		LICENSING_TREE=$$tree cargo test --workspace --test simulation fresh -- --nocapture

# Formats, and lets clippy repair what it can.
fix:
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

# Numbers of three real servers on this machine: decisions per second, and how long clients wait in a failover.
bench:
	cargo run --release -p licensing-benches --bin load
	cargo run --release -p licensing-benches --bin failover

# How many instructions the pure core needs for each piece of work: the same number in every run, on a busy machine too.
instructions:
	./benches/instructions.sh

# Where the master's processor time goes under load, as a picture.
CLIENTS ?= 512
SECONDS ?= 10
FLAMEGRAPH ?= target/flamegraph.svg
flamegraph:
	./benches/flamegraph.sh $(CLIENTS) $(SECONDS) $(FLAMEGRAPH)

# Three servers on this machine, a killed master, a hand-back.
demo:
	cargo run --release -p licensing-server -- demo

# Looks for bytes that break what must hold of all bytes (tests/src/hostile/targets.rs): `make fuzz TIME=600` gives each
# target ten minutes. What it learns goes to tests/fuzz/grown, a crash to tests/fuzz/artifacts. The dev profile on purpose:
# the fuzzer sees comparisons there that the release profile folds.
TIME ?= 60
TARGETS ?= client_frame server_frame peer_hello peer_frame store_record snapshot license_file
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { \
		echo "error: cargo-fuzz is missing" >&2; \
		echo "hint: cargo install cargo-fuzz --locked" >&2; \
		exit 2; }
	cd tests && for target in $(TARGETS); do \
		mkdir -p fuzz/grown/$$target && \
		cargo fuzz run -s none -D $$target fuzz/grown/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(TIME) -use_value_profile=1 -max_len=16384 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; \
	done

# All planted bugs: those that the simulation must notice, in a build of their own, then all patches (tests/mutants).
mutants:
	LICENSING_MUTANTS=all cargo test --release --workspace --test mutants -- --nocapture
	LICENSING_PATCHES=all cargo test --workspace --test patches -- --nocapture

# How many small changes of the product its own tests notice (cargo-mutants): `make score CRATE=raft SHARD=0/60` tries every
# sixtieth of one crate. The whole of core takes an hour or two, the whole of raft a day.
CRATE ?= core
SHARD ?= 0/6
score:
	tests/mutants/score.sh $(CRATE) $(SHARD)

# What of the product a sweep of the simulation never runs, and has no excuse in tests/coverage/excused.txt.
SEEDS ?= 200
coverage:
	tests/coverage/sweep.sh $(SEEDS)

# A triad of the version before and this one: `make mixed BEFORE=COMMIT` takes another commit, or a program.
BEFORE ?=
mixed:
	tests/mixed_triad.sh $(BEFORE)

# What a registry would get: each crate packed, and built from its package alone, with the oldest Rust that is promised.
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
package:
	rm -rf target/package # what an earlier run left there is not what is packed now
	rustup toolchain install $(MSRV) --profile minimal
	cargo +$(MSRV) package --workspace --exclude licensing-tests --exclude licensing-benches --exclude disk-recorder

# The long forms of everything random: days of simulated time and what of the product they never run, thousands of power
# cuts, an hour of real processes, all planted bugs; a triad of two versions; and a look at what people build. And two that need a machine for themselves: a
# minute of overload, and an hour of full load that must leave disk and memory as they were, without a line in the log for
# each checkout, which would fill the disk meanwhile. HOURS is how long the simulation runs by the clock on the wall; four processors simulate
# some 370 hours in each of them.
HOURS ?= 4
nightly:
	$(MAKE) package
	cargo run --release -p licensing-tests --bin sim -- --minutes $$(( $(HOURS) * 60 )) --from 1000000
	$(MAKE) coverage
	$(MAKE) mutants
	LICENSING_PRODUCT=all cargo test --workspace --test product
	$(MAKE) mixed
	LICENSING_CUTS=20000 LICENSING_FAILURES=5000 LICENSING_DAMAGES=1000 cargo test --release -p licensing-tests \
		--test store_power_cut --test store_disk_errors --test store_damage
	LICENSING_ROUNDS=50 cargo test --release -p licensing-tests --test process_kill --test process_pause \
		--test process_network --test process_clock --test process_disk
	LICENSING_FLOOD=100000 cargo test --release -p licensing-tests --test hostile_flood
	cargo run --release -p licensing-benches --bin overload
	RUST_LOG=warn cargo run --release -p licensing-benches --bin growth -- --minutes 60
	$(MAKE) fuzz TIME=600
