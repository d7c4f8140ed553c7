# make demo: the app on the shipped weights. make test: all tests. Each sets up what it needs.
.DEFAULT_GOAL := demo
.PHONY: setup demo check test test-serving quick mutants load

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
ARGS ?=

setup: $(VENV)/.ready

# Before a runtime is installed into the environment $(1), any other goes: both write into one folder, and what is left
# when one of two is removed is not whole. The stamps go with it, so that an install that is cut off is begun again.
define empty
	$(PYTHON) -m venv $(1)
	rm -f $(1)/.ready $(1)/.serving $(1)/.tests
	$(1)/bin/python -m pip uninstall -qq --yes onnxruntime onnxruntime-gpu
endef

# Everything. torch comes first and alone: a wheel that lies on the machine, such as a CPU build, is then kept.
$(VENV)/.ready: requirements.txt
	$(call empty,$(VENV))
	$(PIP) $(shell grep -o '^torch==[0-9.]*' requirements.txt)
	$(PIP) -r requirements.txt
	touch $@

# Install what the page needs into the environment $(1): the runtime for CPUs (a wheel of 24 MB) where no NVIDIA driver
# answers, and the one for GPUs (256 MB) where one does.
define serving
	$(call empty,$(1))
	if $(PYTHON) -c "import ctypes; ctypes.CDLL('libcuda.so.1')" 2>/dev/null; then \
		$(1)/bin/python -m pip install --quiet -r requirements-serving.txt; \
	else \
		$(1)/bin/python -m pip install --quiet -c requirements.txt \
			$$(grep -v '^[#-]\|^onnxruntime' requirements-serving.txt) \
			$$(sed -n 's/^onnxruntime==\([0-9.]*\).*/onnxruntime==\1/p' requirements.txt); \
	fi
endef

$(VENV)/.serving: requirements-serving.txt requirements.txt
	$(call serving,$(VENV))
	touch $@

# An environment that has everything has what the page needs.
demo: $(if $(wildcard $(VENV)/.ready),$(VENV)/.ready,$(VENV)/.serving)
	$(BIN)/python app.py $(ARGS)

$(VENV)/.tests: $(VENV)/.ready tests/requirements.txt
	$(PIP) -r tests/requirements.txt
	touch $@

# What is wrong at a glance: style, types.
check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest

# The serving half in an environment of its own, without torch. Its tests make tiny models by onnx, and watch memory.
$(VENV)-serving/.tests: requirements-serving.txt requirements.txt tests/requirements.txt
	$(call serving,$(VENV)-serving)
	$(VENV)-serving/bin/python -m pip install --quiet -c requirements.txt onnx psutil \
		$$(grep '^pytest\|^hypothesis' tests/requirements.txt)
	touch $@

test-serving: $(VENV)-serving/.tests
	$(VENV)-serving/bin/python -c "import importlib.util; assert not importlib.util.find_spec('torch')"
	OMP_NUM_THREADS=1 $(VENV)-serving/bin/python -m pytest -n auto -m "not browser and not slow" --ignore-glob "tests/test_browser*"

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

# Fifty visitors for a minute, and again with two large clean-ups among them. Outside of the tests; it takes some minutes.
load: $(VENV)/.tests
	$(BIN)/python tests/load.py $(ARGS)
