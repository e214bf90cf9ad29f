"""Starts real hosts and real servers, and puts requests on them: for tests, demo and benchmarks."""
