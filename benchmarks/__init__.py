"""Measures restarts and the cost of the plugins: `python -m benchmarks`, or `make bench`."""
