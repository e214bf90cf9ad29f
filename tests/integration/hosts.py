"""The kinds of host that the scenarios run on, by name."""

from __future__ import annotations

from .circus_host import CircusHost
from .host import Host
from .supervisor_host import SupervisorHost

HOSTS: dict[str, type[Host]] = {"supervisor": SupervisorHost, "circus": CircusHost}
