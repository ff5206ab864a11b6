.PHONY: verify fix bench demo

# What a change must pass; changes no file of the checkout. The same as .ci/run.
verify:
	./.ci/run

# Formats, and lets clippy repair what it can.
fix:
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

# Numbers; benches/README.md says what each is and is not.
bench:
	cargo bench -p licensing-benches

# Three servers on this machine, a killed master, a hand-back.
demo:
	cargo run --release -p licensing-server -- demo
