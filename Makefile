# Needs make and Python 3.11 or newer; everything else goes into .venv, the peers of the benchmarks into .venv-bench.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# for two cores: one more, since some tests wait for processes
WORKERS ?= 3
PYTEST_ARGS ?=
BENCHMARKS ?= benchmarks.serving benchmarks.training
BENCH_ARGS ?=

BIN := .venv/bin
BUNDLES := app/web/bundles
NEWEST ?= python3.13
QUICK := "not slow and not process and not training"
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)
GPU_PLATFORMS := $(patsubst %,manylinux%_x86_64,_2_28 _2_27 _2_24 _2_17 2014 1)
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test quick slow newest check bench peers gpu-wheels vendor types sbom audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/.run ## forecast a real data set and serve it; DEMO_EXIT=1 ends after the forecast
	@$(BIN)/gatecast demo $(if $(filter 1 true yes,$(DEMO_EXIT)),--exit)

test: check ## everything that must hold, on SQLite and on PostgreSQL; WORKERS=n, PYTEST_ARGS=...
	$(PYTEST) -m "not slow"

quick: check ## lint, types, layers, and the tests that need no process and no training
	$(PYTEST) -m $(QUICK)

newest: BIN := .venv-newest/bin
newest: ## the tests of `make quick` on another Python that has torch: NEWEST=python3.13
	"$(NEWEST)" -m venv --system-site-packages --clear .venv-newest
	$(PIP_INSTALL) -q -e '.[dev]'
	$(PYTEST) -m $(QUICK)

slow: .venv/.dev ## what takes minutes: chaos, soaks
	$(PYTEST) -m slow

check: .venv/.dev ## lint, format, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

# benchmarks.serving needs wrk (on Debian: apt-get install wrk) and two cores.
# benchmarks.accuracy takes about two hours and needs its data sets: make bench BENCHMARKS=benchmarks.accuracy
bench: .venv/.dev $(if $(filter benchmarks.serving benchmarks.training,$(BENCHMARKS)),.venv-bench/.peers) ## the benchmarks, one after another; BENCHMARKS=benchmarks.NAME for one, BENCH_ARGS=...
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m "$$name" $(BENCH_ARGS); done

peers: .venv-bench/.peers ## the libraries that the benchmarks compare with, into .venv-bench

# benchmarks/README-gpu.md says how they are used. Several platforms are named because pip takes each as it stands.
gpu-wheels: .venv/.dev ## what benchmarks.gpu needs on a bare machine with a GPU, into .gpu-wheels
	rm -rf .gpu-wheels
	$(BIN)/python -m pip download --disable-pip-version-check --quiet --no-deps --only-binary=:all: \
	  --python-version 3.12 --implementation cp $(GPU_PLATFORMS:%=--platform %) \
	  -c constraints.txt -r benchmarks/gpu-wheels.txt -d .gpu-wheels
	$(BIN)/python -m benchmarks.gpu_model .gpu-wheels/version
	@cat .gpu-wheels/*.whl | wc -c | awk '{ printf "%.1f MB of wheels, 40 at most\n", $$1 / 1e6; exit $$1 > 40e6 }'

vendor: $(BUNDLES)/node_modules/.installed ## the page's libraries, into app/web/static/vendor: needs node; see the README there
	cd $(BUNDLES) && npm run build
	cd app/web/static/vendor && sha256sum *.js *.css

types: $(BUNDLES)/node_modules/.installed ## the types of the page's JavaScript: needs node
	cd $(BUNDLES) && node_modules/.bin/tsc -p jsconfig.json

sbom: .venv/.dev ## what an installation is made of, and its licences: docs/sbom.cdx.json, docs/licences.md
	$(BIN)/python -m docs.sbom

# Where the data on faults cannot be reached, it says of each package that it could not be audited.
audit: ## known faults of the pinned versions, by pip-audit
	test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && \
	  .venv-audit/bin/python -m pip install --disable-pip-version-check --quiet pip-audit; }
	.venv-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

clean: ## remove caches, builds and the demo's data; the environment stays (rm -r .venv)
	rm -rf .demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find app client gatecast models migrations tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BUNDLES)/node_modules/.installed: $(BUNDLES)/package.json
	cd $(BUNDLES) && npm install --no-package-lock --no-audit --no-fund
	@touch $@

# The stamps are written last, so that an interrupted installation is done again.
.venv/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@ .venv/.run

.venv-bench/.peers: pyproject.toml constraints.txt benchmarks/constraints.txt benchmarks/measures.txt | $(BIN)/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/python -m pip install --disable-pip-version-check -c constraints.txt -c benchmarks/constraints.txt \
	  -e '.[bench]'
	.venv-bench/bin/python -m pip install --disable-pip-version-check --no-deps -r benchmarks/measures.txt
	@touch $@

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: say make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -m venv .venv || \
	  { rm -rf .venv; echo "python -m venv failed: on Debian, apt-get install python3-venv"; exit 1; }
