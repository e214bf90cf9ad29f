"""Restarts under load on real supervisors: `python -m examples.demo`, or `make demo`.

`servers` has the programs that are restarted, `hosts` the supervisors, `load` the requests,
`screen` what is shown. The benchmarks use the first three as well.
"""
