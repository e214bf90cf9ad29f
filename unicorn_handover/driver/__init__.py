"""Runs handovers, in a process of its own. No host imports this package."""
