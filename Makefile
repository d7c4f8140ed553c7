# make demo: the app on the shipped weights. make test: all tests. Both set up what they need.
.DEFAULT_GOAL := demo
.PHONY: setup demo test quick mutants

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

setup: $(VENV)/.ready

# torch comes first and alone: a wheel that lies on the machine, such as a CPU build, is then kept.
$(VENV)/.ready: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(shell grep -o '^torch==[0-9.]*' requirements.txt)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.tests: $(VENV)/.ready tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	touch $@

demo: setup
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

# What a change needs while it is being made: no browser, nothing slow, a process a core.
quick: $(VENV)/.tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m "not browser and not slow"

$(VENV)/.mutants: $(VENV)/.tests tests/requirements-mutants.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements-mutants.txt
	touch $@

# Puts small wrongs into the files that pyproject.toml names, one at a time, and tells which ones no test notices.
# It takes an hour or two; stopped, it goes on from there. `ARGS='ganapp.train.gan.losses*'` is a part of it.
mutants: $(VENV)/.mutants
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 1 $(ARGS)
	$(BIN)/mutmut results
