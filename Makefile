SHELL := /bin/bash
BIN := .venv/bin
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup test check clean demo

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs what is missing: Java, Maven, the Python packages, Kafka's jars
	@deploy/setup.sh

test: setup ## Runs every test: first those without Kafka, then those with a real one
	$(BIN)/pytest -n auto -m "not kafka"
	$(BIN)/pytest -m kafka

check: setup ## Checks format, style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/referral-bus schemas lint
	$(BIN)/referral-bus register lint deploy/demo/register/example.yaml

demo: setup ## Shows a whole federation at work over a real Kafka; KEEP=1 leaves it running
	$(BIN)/referral-bus demo $(if $(KEEP),--keep)

clean: ## Removes the virtual environment, caches and build outputs
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
