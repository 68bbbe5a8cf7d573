# CrisisBridge. `make` alone lists what there is.
#
# Everything happens in .venv, made from the lock files. The second start installs nothing and needs no
# network.

SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8080
DATA ?= demo-data
HTTPS ?=
ARGS ?=

PY := .venv/bin/python
# PYTHONSAFEPATH: nothing is imported from the folder a command happens to be started in.
# queue/ is a source root that holds the package `oncall`.
export PYTHONSAFEPATH := 1
export PYTHONPATH := $(CURDIR):$(CURDIR)/queue
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo serve doctor test lint types imports js audit sbom lock screenshots fuzz explore fuzz-api soak bench-first-light bench-media bench-queue bench-records clean

help: ## list the targets
	@echo "CrisisBridge"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22 | sed 's/^/  make /'
	@echo
	@echo "  PORT=8080  DATA=demo-data  HTTPS=1 (demo: also the local network, over a self-made certificate)"

demo: .venv/.runtime ## start everything with sample people; prints three addresses with their sign-ins
	@exec $(PY) -m crisisbridge demo --port "$(PORT)" --data "$(DATA)" $(if $(HTTPS),--https) $(ARGS)

serve: .venv/.runtime ## start the server with your settings (CRISISBRIDGE_*); see docs/operators.md
	@exec $(PY) -m crisisbridge serve $(ARGS)

doctor: .venv/.runtime ## look at settings, database, ports, media and certificates
	@exec $(PY) -m crisisbridge doctor $(ARGS)

test: ## install what the tests need, then run all checks and all tests
	@PYTHON="$(PYTHON)" scripts/run_tests $(ARGS)

lint: .venv/.dev ## style and formatting
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/.dev ## types of the Python code
	.venv/bin/mypy

imports: .venv/.dev ## folders import downwards only
	.venv/bin/lint-imports

js: node_modules/.package-lock.json ## types and tests of the JavaScript
	npx --no-install tsc -p tsconfig.json
	node --test $(wildcard tests/js/*.test.js)

fuzz: .venv/.dev ## mutated messages and datagrams against what reads them, for SECONDS=3600
	$(PY) -m tests.signaling.fuzz "$(or $(SECONDS),600)"
	$(PY) -m tests.media.fuzz "$(or $(SECONDS),3600)"

explore: .venv/.dev ## two sessions of the line, every interleaving until none is left
	$(PY) -m tests.model.whole $(ARGS)

fuzz-api: .venv/.dev ## what the description of /api/v1 allows, CASES=100 of each address
	API_CASES="$(or $(CASES),100)" PYTHONPATH=.:queue $(PY) -m pytest -q tests/web/test_schemathesis.py --timeout=7200

audit: .venv/.dev ## known holes in what the lock files pin; ARGS='--osv all.zip' asks a copy of OSV's data
	PYTHONPATH=. $(PY) -m scripts.audit $(ARGS)

sbom: .venv/.dev ## what it is made of, as CycloneDX, into build/sbom.cdx.json
	@mkdir -p build
	PYTHONPATH=. $(PY) -m scripts.sbom > build/sbom.cdx.json

lock: ## write the lock files anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --output-file requirements.lock
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --output-file requirements-dev.lock

screenshots: .venv/.dev ## take the pictures in docs/ from a running demo
	$(PY) scripts/screenshots.py $(ARGS)

bench-first-light: .venv/.dev ## measure press to ringing, accept to picture, and the CPU of one call
	$(PY) bench/first_light.py $(ARGS)

bench-media: .venv/.dev ## measure the bridge's cost beside Janus (Debian's package, if it is there)
	$(PY) -m bench.bridge $(ARGS)

soak: .venv/.dev ## hours of calls whose sides keep coming back: does anything grow?
	$(PY) -m bench.bridge.soak $(ARGS)

bench-queue: .venv/.dev ## measure press to offer beside the floor that the same stack sets
	$(PY) -m bench.ringing $(ARGS)

bench-records: .venv/.dev ## measure the log at a million sessions beside a look-up by key
	$(PY) -m bench.records $(ARGS)

clean: ## remove what was made (never data)
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info

.venv/.runtime: requirements.lock
	@PYTHON="$(PYTHON)" scripts/make_venv runtime

.venv/.dev: requirements-dev.lock
	@PYTHON="$(PYTHON)" scripts/make_venv dev

node_modules/.package-lock.json: package-lock.json
	npm ci --ignore-scripts
	@touch $@
