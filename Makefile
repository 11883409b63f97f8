# Needs Python 3.11 or newer, git and make. Everything else goes into .venv.

PYTHON ?= $(shell command -v python3 || command -v python3.11 || echo python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
CODE := agents callboard evals graphs memory playbooks policies tools tests
PROCESSES ?= 2

.PHONY: help setup run test lint check demo bench migration

help:
	@echo "make run     set everything up and serve the retail playbook on http://127.0.0.1:8080"
	@echo "make demo    play three conversations in this terminal"
	@echo "make test    run every test"
	@echo "make check   format, lint, types, import contracts, unit tests"
	@echo "make bench   measure turns, policies, a turn beside other stacks, and calls of models"
	@echo "make migration MESSAGE=\"...\"   write the migration for what changed in the tables"
	@echo "make setup   only make .venv"

setup: $(INSTALLED)

$(INSTALLED): requirements/dev.txt pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "No $(PYTHON) here. Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Callboard needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" -V). Say which to use: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Setting up .venv; the first time takes some minutes ..."
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@CALLBOARD_ENV=development $(BIN)/callboard serve --demo

demo: setup
	@$(BIN)/callboard demo

bench: setup
	@$(BIN)/callboard eval bench turns
	@$(BIN)/callboard eval bench policies
	@$(BIN)/callboard eval bench peers
	@$(BIN)/callboard eval bench models

migration: setup
	@$(BIN)/python -m memory.migrating "$(MESSAGE)"

lint: setup
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest tests/unit -n $(PROCESSES) --dist loadfile

test: setup
	$(BIN)/pytest -n $(PROCESSES) --dist loadfile
