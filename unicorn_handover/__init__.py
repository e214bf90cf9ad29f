"""The engine: what a zero-downtime handover of a pre-fork server's master is, under any supervisor.

The host packages `supervisor_unicorn` and `circus_unicorn` build on the names below; nothing here
knows of either.
"""

from ._version import __version__
from .errors import ConfigError, HandoverError, Refused
from .ledger import Ledger
from .options import Options, Settings, parse
from .record import MasterId, Record
from .states import Phase

__all__ = [
    "ConfigError",
    "HandoverError",
    "Ledger",
    "MasterId",
    "Options",
    "Phase",
    "Record",
    "Refused",
    "Settings",
    "__version__",
    "parse",
]
