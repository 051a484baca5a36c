# make demo   the main job on real data, or on your own: make demo DATA=log.csv CUSTOMER=.. (any option)
# make quick     lint and the quick tests: no Spark, no docs, few examples
# make test      lint, types, import contracts, tests, published values, docs
# make test-rest  what make test leaves out: every case on Dask and Spark, more odd files
# make test-all   both
# make coverage   the lines that the tests run
# make fmt    put the code in form
# make bench  the benchmarks

# The first of these that is Python 3.11 or newer; PYTHON=/path/to/python overrides it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadgroup

# Options of the command: make demo DATA=log.csv DATE_FORMAT=%d/%m/%Y stands for --date-format
OPTIONS = CUSTOMER DATE AMOUNT QUANTITY PRICE ORDER_ID PRODUCT COST DATE_FORMAT DECIMAL RETURNS \
	AMOUNT_PER ENCODING SEPARATOR SHEET TABLE QUERY ACCEPT_LOSS AS_OF HORIZON_DAYS MARGIN \
	ANNUAL_DISCOUNT_RATE CURRENCY HASH_IDS
FLAGS = NEGATE
KNOWN = DATA OUT PYTHON VENV BIN $(OPTIONS) $(FLAGS)

# What was written after make that is no option here, such as CUSTOMR=...
UNKNOWN = $(filter-out $(KNOWN),$(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(name))))

lower = $(shell echo $(1) | tr A-Z_ a-z-)
REPORT_OPTIONS = --out "$(OUT)" \
	$(foreach name,$(OPTIONS),$(if $($(name)),--$(call lower,$(name)) "$($(name))")) \
	$(foreach name,$(FLAGS),$(if $($(name)),--$(call lower,$(name))))

.PHONY: demo quick test test-rest test-all coverage fmt bench docs clean

demo: $(VENV)/installed
	$(if $(UNKNOWN),$(error make demo has no option $(UNKNOWN); it takes DATA OUT $(OPTIONS) $(FLAGS)))
	$(BIN)/crmkit report $(if $(DATA),"$(DATA)") $(REPORT_OPTIONS)

quick: $(VENV)/installed-dev
	$(BIN)/ruff check .
	CRMKIT_TESTS=quick $(PYTEST)

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	CRMKIT_TESTS=test $(PYTEST)

test-rest: $(VENV)/installed-dev
	CRMKIT_TESTS=rest $(PYTEST)

test-all: test test-rest

coverage: $(VENV)/installed-dev
	CRMKIT_TESTS=test $(PYTEST) --cov --cov-report=term:skip-covered

fmt: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/make_pages.py

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed-dev
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) $(OUT) site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "crmkit needs Python 3.11 or newer; none was found. Install it, or say make PYTHON=/path/to/python." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/installed
