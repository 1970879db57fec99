# Reading Room: `make run` sets up, shows the samples and serves; `make test` sets up what the tests need and runs them.
# MODEL=default (1.5B, 1.1 GB), small (135M) or none (answers are quoted sentences).

PYTHON ?= python3
MODEL ?= default
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
SAY := @printf '[%s] %s\n' "$$(date +%T)"

export READINGROOM_ANSWER__MODEL := $(MODEL)
# else every process compiles its libraries anew: half of the time that a command takes to start
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run setup test lint check bench quality models clean

run: setup
	@$(BIN)/readingroom demo
	@exec $(BIN)/readingroom serve

setup: $(VENV)/.installed .models/.$(MODEL)-fetched

# a stamp in the models' folder, so that a second start doesn't look again
.models/.%-fetched: | $(VENV)/.installed
	@$(BIN)/python -m rag.setup_models $*
	@mkdir -p .models && touch $@

$(VENV)/.installed: requirements.txt pyproject.toml
	$(SAY) "installing packages into $(VENV) (about two minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "Reading Room needs Python 3.11 or 3.12; run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python can't make a virtual environment here; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(PIP) install -q --no-compile --no-deps -r requirements.txt
	@$(PIP) install -q --no-compile --no-deps --no-build-isolation -e .
	@touch $@
	$(SAY) "packages installed"

# sentence-transformers and a CPU build of torch, for other embedders (extra `models`)
models: $(VENV)/.models-installed
$(VENV)/.models-installed: $(VENV)/.installed requirements-models.txt
	$(SAY) "installing sentence-transformers and torch"
	@$(PIP) install -q --no-compile -r requirements-models.txt
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed requirements-test.txt
	@$(PIP) install -q --no-compile --no-deps -r requirements-test.txt
	@touch $@

test: setup $(VENV)/.test-installed $(VENV)/.models-installed .models/.small-fetched .models/.default-fetched
	@tests/install-system-packages
	@$(MAKE) --no-print-directory lint
	@unset READINGROOM_ANSWER__MODEL; exec $(BIN)/python -m pytest

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check rag ingest ui tests
	$(BIN)/mypy

bench: $(VENV)/.test-installed
	@unset READINGROOM_ANSWER__MODEL; exec $(BIN)/python -m tests.benchmarks.run

# the sets lie beside the project, not in it; SETS="scifact kgrag" measures only those, ABLATION=1 also without each ingredient
quality: $(VENV)/.test-installed
	@unset READINGROOM_ANSWER__MODEL; exec $(BIN)/python -m tests.benchmarks.quality $(SETS) $(if $(ABLATION),--ablation)

clean:
	rm -rf $(VENV)
