# Needs make and Python 3.11 or newer; everything else goes into .venv, the peers of the benchmarks into .venv-bench.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= 2
PYTEST_ARGS ?=
BENCHMARKS ?= benchmarks.serving benchmarks.training
BENCH_ARGS ?=

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check bench peers clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/.run ## forecast a real data set and serve it; DEMO_EXIT=1 ends after the forecast
	@$(BIN)/gatecast demo $(if $(filter 1 true yes,$(DEMO_EXIT)),--exit)

test: check ## everything that must hold, on SQLite and on PostgreSQL; WORKERS=n, PYTEST_ARGS=...
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

check: .venv/.dev ## lint, format, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# benchmarks.serving needs wrk (on Debian: apt-get install wrk) and two cores.
# benchmarks.accuracy takes about two hours and needs its data sets: make bench BENCHMARKS=benchmarks.accuracy
bench: .venv/.dev $(if $(filter benchmarks.serving benchmarks.training,$(BENCHMARKS)),.venv-bench/.peers) ## the benchmarks, one after another; BENCHMARKS=benchmarks.NAME for one, BENCH_ARGS=...
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m "$$name" $(BENCH_ARGS); done

peers: .venv-bench/.peers ## the libraries that the benchmarks compare with, into .venv-bench

clean: ## remove caches, builds and the demo's data; the environment stays (rm -r .venv)
	rm -rf .demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find app models migrations tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so that an interrupted installation is done again.
.venv/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@ .venv/.run

.venv-bench/.peers: pyproject.toml constraints.txt benchmarks/constraints.txt | $(BIN)/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/python -m pip install --disable-pip-version-check -c constraints.txt -c benchmarks/constraints.txt \
	  -e '.[bench]'
	@touch $@

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: say make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -m venv .venv || \
	  { rm -rf .venv; echo "python -m venv failed: on Debian, apt-get install python3-venv"; exit 1; }
