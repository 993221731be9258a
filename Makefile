# make demo   set everything up, run the miniature benchmark, say where its report is
# make test   set everything up, run the tests
# make lint   set everything up, check style and types

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test lint
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# make/make/p' Makefile

demo: .venv/ready
	@$(BIN)/jsdpipe check config.yaml
	$(BIN)/snakemake --cores all --workflow-profile workflow/profiles/default
	@echo "The report: $(CURDIR)/results/miniature/report/index.html"

test: .venv/ready
	$(BIN)/python -m pytest

lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

.venv/ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11 or newer, or name it: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) lacks the module venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
