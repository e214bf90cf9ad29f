# Every target brings what it needs: see scripts/setup.

PYTHON ?= python3
# A test waits for more than half of its time, so more of them at once use the cores whole.
JOBS ?= $(shell n=$$(($$(nproc) * 3)); echo $$((n < 12 ? n : 12)))
bin := .venv/bin

.PHONY: help demo test lint types pytest bench endure clean

help:
	@echo "make demo    restarts under load on a real supervisord, a real circusd and by itself"
	@echo "make test    everything that must hold: style, types, tests"
	@echo "make bench   measures: stock restart and USR2 by hand against the handover"
	@echo "make endure  200 handovers on each host, under load: what fails, what grows"
	@echo "make clean   removes what the targets above have made"

demo: .venv/ready
	@scripts/setup unicorn --try
	@$(bin)/python -m examples.demo

test: lint types pytest

lint: .venv/ready
	$(bin)/ruff check
	$(bin)/ruff format --check

types: .venv/ready
	$(bin)/mypy
	$(bin)/mypy -p tests.kit -p examples.demo -p benchmarks

pytest: .venv/ready
	@scripts/setup unicorn
	@scripts/setup runit
	@scripts/setup nginx
	@scripts/setup gunicorns
	@scripts/setup browser
	@scripts/setup debian --try
	@# Compiles the tests once, and not in each of pytest's workers.
	@$(bin)/pytest --collect-only -qq >/dev/null || true
	$(bin)/pytest -n $(JOBS) --dist worksteal

bench: .venv/ready
	@scripts/setup unicorn --try
	@scripts/setup runit --try
	@$(bin)/python -m benchmarks

endure: .venv/ready
	@scripts/setup unicorn
	@$(bin)/python -m benchmarks.endure --host supervisor --server unicorn
	@$(bin)/python -m benchmarks.endure --host circus --server gunicorn
	@scripts/setup gunicorns
	@$(bin)/python -m benchmarks.endure --host supervisor --server gunicorn --version 20.1.0
	@$(bin)/python -m benchmarks.endure --host supervisor --server gunicorn --version 22.0.0

.venv/ready: setup.cfg pyproject.toml scripts/setup
	@PYTHON=$(PYTHON) scripts/setup python
	@touch $@

clean:
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
