# Everything a developer or CI runs. Needs Rust, a C compiler and make; nothing else.

CARGO ?= cargo
# What is passed on to `make demo`: make demo ARGS="--help"
ARGS ?=

# How much `make sim` does.
SEEDS ?= 10000
STRIDE ?= 1
KILLS ?= 300

.PHONY: help demo test bench e2e sim sim-long sweep kill planted check fmt lint doc crds roles probe-azure

help: ## Lists the targets (default)
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

demo: ## Plays a rollout on simulated Azure and Kubernetes (ARGS="--help" for more)
	$(CARGO) run --quiet --locked -- demo $(ARGS)

test: ## Runs all tests
	$(CARGO) test --locked --workspace

bench: ## Measures the operator, and a script beside it, against the emulated Azure (ARGS="--help")
	$(CARGO) bench --quiet --profile sim --locked --bench azure -- $(ARGS)

# Runs a command beside a throwaway control plane, or (with) only with its binaries.
PLANE = $(CARGO) run --quiet --locked -p control-plane --
# Tests that need a real API server, by the beginnings of their names.
REAL = $(CARGO) test --quiet --locked --test it -- --ignored --nocapture --test-threads=1

# Tests of the emulated Azure by HTTPS that need Microsoft's clients.
AZURE = $(CARGO) test --quiet --locked -p azure-sim --features https --test served -- --ignored --nocapture

e2e: ## Plays rollouts, contract, chart and kubectl on a real API server; ends with 69 if none can be had
	$(PLANE) get
	$(PLANE) run $(CARGO) test --quiet --locked -p kube-sim --test it -- --ignored --nocapture contract
	$(PLANE) run $(REAL) crds_on_a_real_server_
	$(PLANE) run $(REAL) chart_
	$(PLANE) with $(REAL) kubectl_ python_
	$(PLANE) with $(AZURE) python_
	$(PLANE) with $(REAL) rollout_

# Optimised, with the bugs that can be planted in it; none is, but where it says so.
SIMULATE = $(CARGO) run --quiet --profile sim --locked --features planted-bugs,quick-allocator -- simulate

sim: ## Simulates everything (SEEDS, STRIDE, KILLS: less of it) and ends with one table
	$(MAKE) planted
	$(MAKE) kill KILLS=$(KILLS)
	$(SIMULATE) --whole --seeds $(SEEDS) --stride $(STRIDE)

sim-long: ## Plays any number of seeds (SEEDS=1000000) and nothing else
	$(SIMULATE) --seeds $(SEEDS)

sweep: ## Kills the process at every side effect of two rollouts (make test tries some)
	HOTPATCH_SWEEP=all $(CARGO) test --locked --test it a_process_may_die_anywhere -- --nocapture

kill: ## Kills the real process with -9 around commands, KILLS times each way (make test: four)
	HOTPATCH_KILLS=$(KILLS) $(CARGO) test --locked --test it a_process_killed_with_9 -- --nocapture

planted: ## Plants bugs, one at a time, and shows which checker finds each
	$(CARGO) test --locked --features planted-bugs --test it -- --nocapture planted::

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

roles: ## Writes roles/ from the calls to Azure
	$(CARGO) run --quiet --locked -- roles --dir roles

probe-azure: ## Asks a live tenant what the emulator assumes; only reads (ARGS="--subscription ID --token-file F")
	$(CARGO) run --quiet --locked -- probe-azure $(ARGS)
