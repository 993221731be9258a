# make demo           set everything up, run the miniature benchmark, say where its report is
# make test           set everything up, run the tests
# make lint           set everything up, check style, types and imports
# make docs           set everything up, build the documentation's site, say where it is
# make requirements   pin in requirements.txt what pyproject.toml asks for; lines that are there stay as they are

PYTHON ?= python3
BIN := .venv/bin
UV := PATH="$(CURDIR)/$(BIN):$$PATH" uv
PINNED := --constraint requirements.txt
PIP := $(BIN)/python -m pip install $(PINNED)
PACKAGES := --build-constraint requirements.txt --editable '.[dev,docs,slurm]'

.PHONY: help demo test lint docs requirements
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
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile workflow

docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "The documentation: $(CURDIR)/site/index.html"

requirements: .venv/ready
	UV_CUSTOM_COMPILE_COMMAND="make requirements" $(UV) pip compile --quiet --no-annotate --python-version 3.11 \
		--python-platform x86_64-manylinux_2_28 --extra dev --extra docs --extra slurm pyproject.toml --output-file requirements.txt

# An environment that was not finished is begun anew: it can lack files unnoticed.
# Bytecode, as pip makes it: without, each of a run's many processes may compile what it imports.
.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c '' 2>/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11 or newer, or name it: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) lacks the module venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "setting up .venv; for PyTorch without CUDA, or of another one, see docs/install.md, Other builds of PyTorch"
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) .venv
	@rm -f $@
	@$(UV) --version >/dev/null 2>&1 || $(PIP) --quiet uv || true
	@$(UV) pip install --compile-bytecode --python .venv $(PINNED) $(PACKAGES) || \
		{ test -z "$$UV_TORCH_BACKEND" && $(PIP) pip && $(PIP) $(PACKAGES); } || \
		{ echo "error: the packages were not installed; mend what is said above, often the network, and make again" >&2; exit 1; }
	@touch $@
