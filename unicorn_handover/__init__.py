"""Zero-downtime handover of a pre-fork server's master, under any supervisor.

At any moment a program has one master that its host supervises. While a handover runs it has a
second one, proven to be its own, and when the handover ends one of the two is gone.

The rooms, each of which imports only those before it: `kernel`, `servers`, `model`, `family`, and
the two wings `host` (inside the supervisor) and `driver` (a process of its own), which never import
each other. Nothing here knows of any supervisor.
"""

from ._version import __version__

__all__ = ["__version__"]
