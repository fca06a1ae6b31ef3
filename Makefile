# Needs make and Python >= 3.11; every target makes .venv by itself, with the tested versions of constraints.txt.

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
BENCHES := bench-engine bench-peers bench-strategies bench-memory bench-layouts bench-kernels bench-agreement bench-table
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
IS_PYTHON_311 := -c 'import sys; sys.exit(sys.version_info < (3, 11))'

# More threads than idle cores make small models many times slower, and no test may reach a network.
test: export OMP_NUM_THREADS := 1
test: export OMP_WAIT_POLICY := PASSIVE
test: export HF_HUB_OFFLINE := 1

.DELETE_ON_ERROR:
.PHONY: demo test lint types $(BENCHES) bench-engines bench-finetuning bench-speech clean

demo: $(VENV)/installed
	$(BIN)/msm demo $(ARGS)

test: lint types $(VENV)/s3prl/installed
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

# benchmarks/README.md says what each measures; it fails if a bar is not reached. The kernels need a GPU, and say so.
$(BENCHES): bench-%: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.$* $(ARGS)

bench-agreement: $(VENV)/s3prl/installed

# DATA is a data folder as README.md describes it, here with all tasks.
bench-engines: $(VENV)/installed-dev $(VENV)/s3prl/installed
	$(BIN)/python -m benchmarks.engines --data $(DATA) $(ARGS)

bench-finetuning: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.finetuning --data $(DATA) $(ARGS)

bench-speech: $(VENV)/installed-dev $(VENV)/s3prl/installed
	$(BIN)/python -m benchmarks.real_speech --data $(DATA) $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info

$(BIN)/python:
	@set -e; \
	for python in $(PYTHON) $(PYTHONS); do \
	  if $$python $(IS_PYTHON_311) 2>/dev/null; then echo "Making $(VENV) with $$python"; exec $$python -m venv --clear $(VENV); fi; \
	done; \
	echo "Error: expected Python 3.11 or newer, tried: $(PYTHON) $(PYTHONS); install one, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

# Order-only: the time stamp of .venv/bin/python is that of the interpreter that it links to.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

# A folder that only s3prl's own processes see: so s3prl gets the versions that it was tested with, and .venv none of them.
$(VENV)/s3prl/installed: requirements-s3prl.txt | $(BIN)/python
	rm -rf $(@D)
	$(INSTALL) --no-deps --target $(@D) -r requirements-s3prl.txt
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[dev,peers,triton]'
	@touch $(VENV)/installed $@
