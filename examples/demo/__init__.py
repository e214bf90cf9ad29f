"""Restarts under load on real supervisors: `python -m examples.demo`, or `make demo`.

The hosts, programs and requests are those of the tests (`tests/kit`). `hosts` has what a person
calls them, `scenario` what is done to them, `screen` what is shown.
"""
