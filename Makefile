.PHONY: verify fix bench demo

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
