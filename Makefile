# Everything a developer types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
# One test file or folder: make test T=tests/webhooks
T ?= tests
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Every process would compile everything anew: tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types layers bench format clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: scripts/setup pyproject.toml uv.lock package.json package-lock.json $(wildcard widgets/src/*)
	@PYTHON=$(PYTHON) scripts/setup
	@touch $@

setup: .venv/installed ## Install everything into .venv/ and build the widget

demo: .venv/installed ## Two shops with real orders, from webhook to widget, until Ctrl-C
	@exec $(BIN)/pannier demo

test: .venv/installed ## Run all tests (T=path for some)
	@scripts/chromium
	@scripts/php
	$(BIN)/pytest -n 2 $(T)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/npm run --silent check
	$(BIN)/npm run --silent size

types: .venv/installed
	$(BIN)/mypy

layers: .venv/installed
	$(BIN)/lint-imports

check: lint types layers test ## What CI runs: lint, types, layers, tests

bench: .venv/installed ## Measure the hot paths against baselines of the same run
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venv" $(BIN)/uv sync --frozen --quiet --all-groups --inexact
	@$(BIN)/python -m benchmarks

format: .venv/installed ## Format all code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/npm run --silent format

clean: ## Remove what was installed and built (var/ with the demo's data stays)
	rm -rf .venv node_modules widgets/dist .mypy_cache .ruff_cache
