"""The process of its own that runs handovers. Never imported by a host."""
