.PHONY: verify fix bench demo fuzz

# What a change must pass; changes no file of the checkout. The same as .ci/run.
verify:
	./.ci/run

# Formats, and lets clippy repair what it can.
fix:
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

# Numbers of three real servers on this machine: decisions per second, and how long clients wait in a failover.
bench:
	cargo run --release -p licensing-benches --bin load
	cargo run --release -p licensing-benches --bin failover

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
