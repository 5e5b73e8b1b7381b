# Everything happens in .venv of this checkout; nothing else on the machine changes.

.DEFAULT_GOAL := help
.PHONY: help install demo up test test-poolers nightly check fix soak fuzz bench lock clean

VENV := .venv
BIN := $(VENV)/bin
SANDBOX := .sandbox
PORT := 3000
ADMIN_PORT := 3080
# The first of these that works: some names exist but do not run (pyenv), some are too old.
PYTHONS := python3.11 python3.12 python3.13 python3 python
FIND_PYTHON = for name in $(PYTHON) $(PYTHONS); do \
	    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; name=; \
	  done; \
	  if [ -z "$$name" ]; then \
	    echo "make: Python 3.11 or newer was not found. Install it (Debian, Ubuntu: apt-get install python3.11" \
	         "python3.11-venv), or name its path: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; \
	  fi; \
	  if ! "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    echo "make: $$name lacks the module venv. Install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; \
	    exit 1; \
	  fi

help:
	@echo 'make demo    the whole pipeline once on sample posts, with a summary (2 minutes)'
	@echo 'make up      the same, then the Dagster UI and the administration page until Ctrl-C (PORT=3000 ADMIN_PORT=3080)'
	@echo 'make test    every test'
	@echo 'make test-poolers  the tests that use a database, through pgbouncer in session and in transaction mode'
	@echo 'make nightly the long forms: every kill point, more races, whole suites through the poolers, a soak (hours)'
	@echo 'make check   format, lint, types, import contracts, Dagster definitions'
	@echo 'make fix     let the formatter and the linter repair what they can'
	@echo 'make soak    a simulated week under chaos, every promise checked (DAYS=7 SEED=1; about 10 minutes)'
	@echo 'make fuzz    one parser under coverage-guided attack (TARGET=reply; needs atheris, see docs/reliability.md)'
	@echo 'make bench   every benchmark of docs/performance.md (SHORT=1: a small form of each, some minutes)'
	@echo 'make lock    choose versions again within pyproject.toml and write constraints.txt'
	@echo 'make clean   delete .venv and caches; the sandbox stays (entity-pipeline sandbox reset)'

demo: install
	$(BIN)/python -m entity_pipeline --dir "$(SANDBOX)" demo

up: install
	$(BIN)/python -m entity_pipeline --dir "$(SANDBOX)" up --port $(PORT) --admin-port $(ADMIN_PORT)

test: install
	$(BIN)/python -m pytest -n auto --dist worksteal

TRANSACTION_TESTS :=
SESSION_TESTS :=
test-poolers: install
	$(BIN)/python -m pytest -n auto --dist worksteal --through=transaction $(TRANSACTION_TESTS)
	$(BIN)/python -m pytest -n auto --dist worksteal --through=session $(SESSION_TESTS)

# Tests that take too long for every change. Each variable is explained in docs/reliability.md.
nightly: install
	NIGHTLY=1 ACCOUNTS=1000000 KILLS=all COMMAND_KILLS=20 LEDGER_RACE=8x25x20 LEDGER_MODEL_RUNS=250 OUTAGES=10 TWO_AT_ONCE=10 UNDO_EXAMPLES=500 \
	  FUZZ_EXAMPLES=20000 POOL_SIMULATION_SEEDS=20 TASK_RACE=20000 TASK_MODEL_RUNS=500 $(BIN)/python -m pytest -n auto --dist worksteal --timeout=7200 \
	  entity_pipeline_tests/reliability entity_pipeline_tests/resources entity_pipeline_tests/deploy entity_pipeline_tests/cli \
	  entity_pipeline_tests/migrations entity_pipeline_tests/shared/tasks
	$(MAKE) test-poolers
	$(MAKE) soak DAYS=2

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@home=$$(mktemp -d) && DAGSTER_HOME="$$home" $(BIN)/dagster definitions validate -w workspace.yaml; \
	  state=$$?; rm -rf "$$home"; exit $$state

fix: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

DAYS := 7
SEED := 1
soak: install
	$(BIN)/python -W ignore -m entity_pipeline_tests.reliability.soak --days $(DAYS) --seed $(SEED)

TARGET :=
fuzz: install
	$(BIN)/python -m entity_pipeline_tests.fuzz $(TARGET) -max_total_time=60

# One after the other, because two at once would disturb each other. Some fail if a claim or a page takes too long, or a
# scrape too many requests.
SHORT :=
bench: install
	$(BIN)/python -W ignore benchmarks/intake.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/reviews.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/linking.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/planning.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/startup.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/ledger_cost.py $(if $(SHORT),200)
	$(BIN)/python -W ignore benchmarks/task_claims.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/influencer_scrape.py $(if $(SHORT),--short)
	$(BIN)/python -W ignore benchmarks/gemini_batch.py $(if $(SHORT),100)
	$(BIN)/python -W ignore benchmarks/insights.py $(if $(SHORT),40)
	$(BIN)/python -W ignore benchmarks/admin_queue.py $(if $(SHORT),50000)
	$(BIN)/python -W ignore benchmarks/scrape_requests.py $(if $(SHORT),60)

install: $(VENV)/.installed

# constraints.txt names every package, so pip has nothing to resolve (and some versions of it would fail to).
# Two stamps: a change of pyproject.toml alone does not fetch 120 packages again.
$(VENV)/.packages: constraints.txt
	@$(FIND_PYTHON); \
	  echo "make: installing into $(VENV) with $$("$$name" --version), about a minute"; \
	  "$$name" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.packages pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Versions that still fit are kept; run `rm constraints.txt` first to get the newest of everything.
lock:
	@$(FIND_PYTHON); "$$name" -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
	@.venv-lock/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --quiet \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-package uv --output-file constraints.txt
	@{ echo '# Exact versions with the hashes of every platform'"'"'s files, written by `make lock`.'; cat constraints.txt; } \
	  > constraints.new && mv constraints.new constraints.txt
	@.venv-lock/bin/uv pip compile pyproject.toml deploy/requirements.in --constraints constraints.txt --universal \
	  --python-version 3.11 --quiet --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --no-emit-find-links --output-file deploy/requirements.txt
	@sed -i '1i # What the image holds: constraints.txt without sandbox and development tools, and dagster-k8s; by `make lock`.' \
	  deploy/requirements.txt
	@echo "make: wrote constraints.txt and deploy/requirements.txt; run make test before you commit them"

clean:
	rm -rf $(VENV) .venv-lock *.egg-info build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
