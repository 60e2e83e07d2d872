# make run    sets everything up and starts the demo: bridge, simulated vendor, desk
# make test   sets everything up and runs every check
# make bench  measures speed and memory beside the budget and others (some ten minutes)
# make backpressure  queues 100,000 SMS behind a vendor that is down, then lets them drain (some minutes)
# make crash  kills the service at every step of a mail's way, then 500 times at random (a quarter of an hour)
# make threats  runs the tests that hold threats off and prints the table of their figures (some minutes)
# Needs Python >= 3.11, pip and make. All of it lands in .venv here.

VENV := .venv
BIN  := $(VENV)/bin
.DEFAULT_GOAL := help

.PHONY: help run test threats bench backpressure crash lint types imports check format clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.run
	@exec $(BIN)/smsbridge demo $(ARGS)

test: $(VENV)/.test
	@sh tests/system-packages.sh
	@$(MAKE) --no-print-directory lint types imports
	@$(BIN)/python -m tests.all $(ARGS)

threats: $(VENV)/.test
	@sh tests/system-packages.sh
	@$(BIN)/python -m tests.all --no-cov --threats -m threat $(ARGS)

bench: $(VENV)/.test
	@sh tests/system-packages.sh
	@$(BIN)/python -m tests.bench $(ARGS)

backpressure: $(VENV)/.test
	@$(BIN)/python -m tests.backpressure $(ARGS)

crash: $(VENV)/.test
	@sh tests/system-packages.sh
	@$(BIN)/python -m tests.crash $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .demo .coverage* .mypy_cache .ruff_cache .hypothesis

# The stamps are renewed when what they were made from changes.
$(VENV)/.run: pyproject.toml constraints.txt deploy/venv.sh
	@sh deploy/venv.sh $(VENV) run
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt deploy/venv.sh
	@sh deploy/venv.sh $(VENV) test
	@touch $@ $(VENV)/.run
