# Two commands do all set-up, also when run twice: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Two workers of one thread are faster than one worker of two: much of a test is Python.
PYTEST = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo test test-all figures clean

demo: $(VENV)/.installed
	$(BIN)/stickerforge generate "cat astronaut" --style sticker --count 4 --seed 1 --out stickers

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

test-all: test  # and what takes over 20 seconds
	$(PYTEST) -m slow

figures: $(VENV)/.installed
	$(BIN)/python -m examples.experiments.bench.generate_speed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stickerforge needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[matting,mini,test]"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps lpips  # without torchvision, which it asks for
	touch $@

clean:
	rm -rf $(VENV) stickers
