# Everything that is made here lies in folders that git ignores; `make clean` takes them away again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PEERS := .venv-peers
WHEELS := .setup/wheels
TOOLS := .setup/supply-chain
BIN := $(VENV)/bin

# A Python 3.11 or newer for a new $(VENV), where `python3` is not the one that is wanted.
PYTHON ?=
# What else pytest is told, as in: make test PYTEST_ARGS="-k tear"
PYTEST_ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
PINNED := --constraint constraints.txt --build-constraint constraints.txt

export MAKECMDGOALS

# The tests start hundreds of programs: where nothing compiled is kept, each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint bench soak setup verify sbom audit system clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runs ## Set up, then run the main job on virtual cards, a virtual reader and a virtual partner
	@$(BIN)/rfid-station demo

test: setup lint ## Set up, then run every check and every test
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/.develops ## Style, types and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.develops ## Measure what is claimed about speed
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.develops ## Tear every card of every profile at every exchange, kill whatever works 60 times; some 25 minutes
	@SOAK=1 $(BIN)/python -m pytest --numprocesses auto --timeout 3600 tests/flow/test_every_profile.py tests/encode/test_type2_tears.py tests/sync/test_push_killed.py \
	  tests/store/test_store_cover_life.py tests/store/test_faults.py tests/store/test_store_backup.py tests/flow/test_reader_faults.py \
	  tests/store/test_store_migrations.py tests/sync/test_power_failure.py

setup: $(VENV)/.develops $(PEERS)/.ready $(WHEELS)/.ready ## Only set up: .venv with all that demo, test and lint need

verify: $(WHEELS)/.ready ## Compare the wheels that were downloaded with constraints.sha256
	@$(BIN)/python setup/hashes.py $(WHEELS)

sbom: $(WHEELS)/.ready $(TOOLS)/.ready ## Write dist/sbom.cdx.json: what a user installs, as CycloneDX
	@$(BIN)/python setup/sbom.py $(WHEELS) $(TOOLS)/bin/python dist/sbom.cdx.json

audit: $(TOOLS)/.ready ## Ask for known holes in what we depend on; needs the advisories on the network
	@$(TOOLS)/bin/python -m pip_audit --strict --no-deps --disable-pip --progress-spinner off --requirement constraints.txt

clean: ## Take away everything that was made here
	rm -rf $(VENV) $(PEERS) .setup build dist demo htmlcov .coverage* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@python=$$(setup/find-python.sh $(or $(wildcard $(BIN)/python),$(PYTHON))); \
	setup/system-packages.sh "$$python"

$(BIN)/python: | system
	@echo "Making $(VENV)"
	@"$$(setup/find-python.sh $(PYTHON))" -m venv --clear $(VENV)

# `--build-constraint` and `--group` take a newer pip than Debian's.
$(VENV)/.runs: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Python packages"
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@$(PIP) install $(PINNED) --editable '.[pcsc,nfc,pkcs11,keyring,postgresql,scripts,ocpp]'
	@touch $@

$(VENV)/.develops: $(VENV)/.runs
	@echo "Installing what developing takes"
	@$(PIP) install $(PINNED) --group dev
	@touch $@

# The independent partner that tests talk to: exactly what the file lists, since its own pins are too old for
# newer Pythons.
$(PEERS)/.ready: constraints-peers.txt | $(VENV)/.runs
	@echo "Making $(PEERS)"
	@$(BIN)/python -m venv --clear --without-pip $(PEERS)
	@$(PIP) --python $(PEERS)/bin/python install --no-deps --requirement constraints-peers.txt
	@touch $@

# In an environment of their own: they bring as much as we depend on ourselves.
$(TOOLS)/.ready: constraints-supply-chain.txt | $(VENV)/.runs
	@echo "Making $(TOOLS)"
	@$(BIN)/python -m venv --clear --without-pip $(TOOLS)
	@$(PIP) --python $(TOOLS)/bin/python install --no-deps --requirement constraints-supply-chain.txt
	@touch $@

# What the packaging test installs into an empty environment, so that tests ask nothing of the network.
$(WHEELS)/.ready: $(VENV)/.runs
	@rm -rf $(WHEELS)
	@$(PIP) wheel $(PINNED) --only-deps --wheel-dir $(WHEELS) .
	@touch $@
