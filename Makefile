SHELL := /bin/bash
BIN := .venv/bin
# A file system in memory where there is one: tests without Kafka are about order, not about the disk.
TEMP := $(shell test -w /dev/shm && echo /dev/shm || echo /tmp)
# What needs a real Kafka. Files are given out in this order, each whole to one process: the long ones come first.
WITH_KAFKA := tests/faults tests/contract tests/kafka
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup test check faults guards clean demo

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs what is missing: Java, Maven, the Python packages, Kafka's jars
	@deploy/setup.sh

test: setup ## Runs every test: first those without Kafka, then those with a real one
	PYTEST_DEBUG_TEMPROOT=$(TEMP) $(BIN)/pytest -n auto --dist worksteal -m "not kafka"
	$(BIN)/pytest -m "kafka and not soak" -n 2 --dist loadfile --no-loadscope-reorder $(WITH_KAFKA)

guards: setup ## Takes each guard away in turn, in a copy: every time something must go red; writes the table into docs/reliability.md
	$(BIN)/python -m tests.guards.run

check: setup ## Checks format, style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/referral-bus schemas lint
	$(BIN)/referral-bus register lint deploy/demo/register/example.yaml

faults: setup ## Breaks whatever can break, in full doses, for most of an hour; writes the table into docs/reliability.md
	mkdir -p build && rm -f build/faults
	TESTS_DOSE=full TESTS_FAULT_RESULTS=build/faults TESTS_SCHEDULES=5000 \
	$(BIN)/pytest -v -n 3 --dist worksteal --timeout 1800 tests/faults tests/property/test_schedules.py
	$(BIN)/python -m tests.faults.table build/faults docs/reliability.md

demo: setup ## Shows a whole federation at work over a real Kafka; KEEP=1 leaves it running
	$(BIN)/referral-bus demo $(if $(KEEP),--keep)

clean: ## Removes the virtual environment, caches and build outputs
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
