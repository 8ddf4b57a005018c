# Everything here runs from the repository root with nothing but Python 3.11+ and make.

PYTHON ?= python3
ARGS   ?=

VENV := .venv
BIN  := $(VENV)/bin
# Touched when the environment fits pyproject.toml and constraints.txt; older than either means: install again.
ENV  := $(VENV)/installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint type contracts format crds manifests docs constraints wheel test-oldest images e2e e2e-full bench bench-rivals measure-signals measure-polling measure-ollama calibrate check-clients clean

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(ENV) ## Start real engines, measure them, serve on port 8080 (ARGS=--once ends after one round)
	@$(BIN)/steelyard demo $(ARGS)

test: lint type contracts ## The whole gate: lint, types, import contracts, all tests (ARGS go to pytest)
	$(BIN)/pytest -n 2 $(ARGS)

lint: $(ENV) ## Check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

type: $(ENV) ## Check types
	$(BIN)/mypy

contracts: $(ENV) ## Check who imports whom
	$(BIN)/lint-imports --no-logo

format: $(ENV) ## Format, and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(ENV) ## Write crds/ anew from the types
	$(BIN)/steelyard crds --directory crds

manifests: crds ## Write the chart's README, dashboards and definitions and manifests/install.yaml anew (needs Helm or Go)
	$(BIN)/python hack/dashboards.py
	$(BIN)/python hack/chart_docs.py
	$(BIN)/python hack/install_manifest.py

docs: $(ENV) ## Write the tables of fields and metrics, the probes and the picture in docs/ anew
	$(BIN)/python hack/api_docs.py
	$(BIN)/python hack/metric_docs.py
	$(BIN)/python hack/probe_docs.py
	$(BIN)/python hack/decision_picture.py

constraints: $(ENV) ## Pin every dependency anew, for Python 3.11 to 3.13, into constraints.txt
	@echo "# Written by 'make constraints'." > $(VENV)/constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --extra dev \
	    --no-header --no-annotate pyproject.toml >> $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

wheel: $(ENV) ## Build dist/steelyard-*.whl
	$(BIN)/hatchling build -t wheel

test-oldest: $(ENV) ## The tests of tests/kube on the oldest Kubernetes that is supported
	STEELYARD_KUBE=oldest $(BIN)/pytest tests/kube $(ARGS)

images: ## Build both images with docker, podman or buildah, whichever is there
	@tool=$$(command -v docker || command -v podman || command -v buildah) \
	    || { echo "Install docker, podman or buildah: none is on the PATH." >&2; exit 1; }; \
	version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); \
	for program in operator gateway; do \
	    $$tool build --file Dockerfile.$$program --tag steelyard/$$program:$$version . || exit; \
	done

e2e: $(ENV) ## The whole product in a real cluster: KUBECONFIG's (takes STEELYARD_E2E_LOAD_IMAGE, too), else kind, else ../shared/cluster
	$(BIN)/pytest tests/e2e $(ARGS)

e2e-full: $(ENV) ## The same and what takes long: upgrades, evictions, outages; writes docs/e2e.md
	$(BIN)/pytest tests/e2e --full --report docs/e2e.md $(ARGS)

bench: $(ENV) ## Measure the gateway beside its rivals (ARGS=--help says what can be chosen)
	@PYTHONPATH=hack $(BIN)/python -m bench $(ARGS)

bench-rivals: $(ENV) ## Install the rivals from PyPI, each in an environment of its own
	@PYTHONPATH=hack $(BIN)/python -m bench.rivals

measure-signals: $(ENV) ## Three gateways beside one, by live signals and without (ARGS="--engines llamacpp": real ones)
	@$(BIN)/python hack/three_gateways.py $(ARGS)

measure-polling: $(ENV) ## What polling 1 000 endpoints takes of a core (ARGS=--help says what can be chosen)
	@PYTHONPATH=hack $(BIN)/python hack/poll_cost.py $(ARGS)

measure-ollama: $(ENV) ## Loads and times of a real Ollama fleet by each balance
	@PYTHONPATH=hack:tests $(BIN)/python -m fleet.real $(ARGS)

calibrate: $(ENV) ## What the profiler's intervals and speeds are worth (ARGS="--url URL --model M": a real model)
	@$(BIN)/python hack/calibrate.py $(ARGS)

check-clients: $(ENV) ## langchain-openai and litellm against a gateway, each in an environment of its own
	@PYTHONPATH=hack:tests $(BIN)/python -m clients

clean: ## Remove the environment, built files and caches of this folder
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find core operator gateway cli tests hack -name __pycache__ -type d -prune -exec rm -rf {} +

$(ENV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Steelyard needs Python 3.11 or newer: make PYTHON=python3.13 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
