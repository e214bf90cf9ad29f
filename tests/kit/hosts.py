"""The kinds of host that the scenarios run on, by name."""

from __future__ import annotations

from .circus_host import CircusHost
from .foreground_host import ForegroundHost
from .host import Host
from .supervisor_host import SupervisorHost

HOSTS: dict[str, type[Host]] = {"supervisor": SupervisorHost, "circus": CircusHost}
ALL: dict[str, type[Host]] = {**HOSTS, "foreground": ForegroundHost}
