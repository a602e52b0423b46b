# Two commands to try it: `make run` and `make test`. Both set everything up themselves, in .venv, and are quick the second time.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz soak bench bench-peers bench-swap lock clean

help:            ## say what can be made
	@sed -n 's/^\([a-z-]*\): .*## /\1 - /p' $(MAKEFILE_LIST)

run: $(VENV)/.run          ## start the demonstration gateway on http://127.0.0.1:8080
	@$(PY) -m gateway demo

test: $(VENV)/.dev         ## run every test
	@$(PY) -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev        ## lint, formatting, types, layers
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m pytest tests/test_layers.py

fuzz: $(VENV)/.dev         ## try the HTTP interface with schemathesis, longer than the tests do
	@$(PY) -m tests.fuzz

bench: $(VENV)/.bench      ## measure, print a table, draw build/bench/bench.png
	@$(PY) -m tests.load
	@$(PY) -m tests.load.pql
	@$(PY) -m tests.load.offers

soak: $(VENV)/.dev         ## a million claims by eight processes against one cap, also in a cluster, also with kills
	@$(PY) -m tests.load.soak

bench-peers: $(VENV)/.dev  ## measure the engine beside Adobe's, from npm and PyPI
	@$(PY) -m tests.load.peers

bench-swap: $(VENV)/.dev   ## measure how long a 10 MB artifact holds the event loop
	@$(PY) -m tests.load.swap

PIP := $(PY) -m pip install --quiet --disable-pip-version-check

# The stamp is written last: an environment whose making was interrupted is made anew.
$(VENV)/.made:
	@rm -rf $(VENV)
	@sh deploy/make-venv.sh "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt requirements/build.txt pyproject.toml
	@echo "installing what the gateway needs into $(VENV) (once, about 20 seconds)"
	@$(PIP) --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "installing what the tests need into $(VENV) (once, about 20 seconds)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@

clean:           ## remove everything that was installed or made here
	rm -rf $(VENV) build var .mypy_cache .ruff_cache .hypothesis
