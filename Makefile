# Everything a developer or CI runs. Needs Rust, a C compiler and make; nothing else.

CARGO ?= cargo
# What is passed on to `make demo`: make demo ARGS="--help"
ARGS ?=

.PHONY: help demo test sweep check fmt lint doc crds

help: ## Lists the targets (default)
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-6s %s\n", $$1, $$2 }' Makefile

demo: ## Plays a rollout on simulated Azure and Kubernetes (ARGS="--help" for more)
	$(CARGO) run --quiet --locked -- demo $(ARGS)

test: ## Runs all tests
	$(CARGO) test --locked --workspace

sweep: ## Kills the process at every side effect of two rollouts (make test tries some)
	HOTPATCH_SWEEP=all $(CARGO) test --locked --test it a_process_may_die_anywhere -- --nocapture

check: fmt lint doc ## Checks format, lints and documentation

fmt: ## Checks the format (cure: cargo fmt --all)
	$(CARGO) fmt --all -- --check

lint: ## Runs clippy; a warning is an error
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc: ## Builds the documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

crds: ## Writes crds/ and the chart's copies from src/api
	$(CARGO) run --quiet --locked -- crds --dir crds
	$(CARGO) run --quiet --locked -- crds --dir charts/hotpatch-operator/files/crds
