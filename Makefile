# Two commands set up everything on a machine with Python >= 3.11 and Rust:  make demo   and   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMPS := .make
RUST   := $(shell find native -name '*.rs' -o -name 'Cargo.toml' 2>/dev/null) Cargo.toml Cargo.lock
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test check bench docs format clean
help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(STAMPS)/demo  ## the main job on real images: demo-out/report.html
	$(BIN)/python examples/demo

test: $(STAMPS)/test  ## every test, Rust and Python
	cargo test --release --quiet --workspace
	$(BIN)/python -m tests.parts $(PYTEST)

check: $(STAMPS)/test  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	cargo fmt --all --check
	cargo clippy --release --quiet --workspace --all-targets -- -D warnings

bench: $(STAMPS)/bench  ## the operations beside SciPy and OpenCV, and the whole path beside plain SciPy
	$(BIN)/python -m benches

docs: $(STAMPS)/docs  ## docs/_build/index.html
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build

format: $(STAMPS)/test  ## let the formatters write
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt --all

clean:  ## remove everything made here, the environment too
	rm -rf $(VENV) $(STAMPS) target demo-out docs/_build docs/generated src/offgraph/_native*.so

# One environment; each purpose adds its extra to it.
$(STAMPS)/tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "offgraph needs Python 3.11 or newer: '$(PYTHON)' is missing or older. Install it, or name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@command -v cargo >/dev/null || \
	  { echo "offgraph needs Rust 1.89 or newer to build its core, and 'cargo' was not found. Install Rust (rustup.rs or your system's package)."; exit 1; }
	@cargo_version=$$(cargo --version | cut -d' ' -f2); [ "$$(printf '1.89.0\n%s\n' "$$cargo_version" | sort -V | head -n1)" = 1.89.0 ] || \
	  { echo "offgraph needs Rust 1.89 or newer to build its core, and this is $$cargo_version. Update it (rustup update)."; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(BIN)/python: | $(STAMPS)/tools
	@$(PYTHON) -m venv $(VENV) || { echo "'$(PYTHON) -m venv' failed: install your system's venv package (python3-venv on Debian)."; exit 1; }

$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/bench $(STAMPS)/docs: $(STAMPS)/%: pyproject.toml constraints.txt $(RUST) | $(BIN)/python
	@echo "Building offgraph and installing what 'make $*' needs into $(VENV) ..."
	$(PIP) --editable '.[$*]'
	@touch $@
