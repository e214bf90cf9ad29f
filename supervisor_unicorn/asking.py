"""What supervisorctl asks of supervisord's `unicorn` namespace, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from xmlrpc.client import Error, Fault

from supervisor.options import make_namespec
from supervisor.supervisorctl import Controller
from supervisor.xmlrpc import Faults

from unicorn_handover.errors import Refused, printable
from unicorn_handover.progress import Outcome

from .conffiles import ConfFiles, programs

NOT_MANAGED = (Faults.BAD_NAME, Faults.UNKNOWN_METHOD)
STRANGER = "not managed by [rpcinterface:unicorn]"
FAILURES = (Error, HTTPException, OSError)  # of a call: a fault, or supervisord is not there
HERE = ("localhost", "127.0.0.1", "::1")


class Asking:
    """One command's questions to supervisord. Each may raise one of FAILURES."""

    def __init__(self, controller: Controller) -> None:
        self._ctl = controller

    @property
    def calls(self) -> Any:
        """The methods of the namespace, to be called as they are."""
        return self._ctl.get_server_proxy("unicorn")

    @property
    def is_loaded(self) -> bool:
        """True if this supervisord has the namespace."""
        return "unicorn.status" in self._ctl.get_server_proxy("system").listMethods()

    def status(self, name: str) -> dict[str, Any] | None:
        """The status of a managed program, or None. Raises Refused if it ought to be one."""
        try:
            status: dict[str, Any] = self.calls.status(name)
        except Fault as fault:
            if fault.faultCode in NOT_MANAGED:
                return None
            raise Refused(why(fault)) from None
        return status

    def outcomes(self, name: str, number: int) -> Iterator[Outcome]:
        """What becomes of a handover, whenever that has changed and once a second."""
        seen = -1
        while True:
            outcome = self.calls.outcome(name, number, seen)
            yield outcome
            seen = outcome["changes"]

    def manages(self, info: dict[str, Any]) -> bool:
        """True if a program is to be handed over, False if its restart is Supervisor's own.

        `info` is Supervisor's description of it. Raises Refused if it should be managed and is not:
        a plain restart would cost requests that the configuration says must not be lost.
        """
        name = make_namespec(info["group"], info["name"])
        if self.status(name) is not None:
            return True
        place = self._listed_in(info["group"], info["name"], name)
        if place:
            raise Refused(
                f"[rpcinterface:unicorn] in {place} lists it, and supervisord has not loaded that; "
                "`supervisorctl reload` loads it, and restarts all programs once"
            )
        return False

    def _listed_in(self, *names: str) -> str:
        """The place of the section that lists one of the names, or ""."""
        for section in self._files().ours("rpcinterface") if self._are_of_this_server() else ():
            if set(names) & set(programs(section)):
                return section.place
        return ""

    def _files(self) -> ConfFiles:
        return ConfFiles(self._ctl.options.configfile)

    def _are_of_this_server(self) -> bool:
        """True if the configuration that was read may be that of the supervisord that is asked."""
        options = self._ctl.options
        if not options.configfile:
            return False
        url = str(options.serverurl)
        is_here = url.startswith("unix://") or urlsplit(url).hostname in HERE
        return is_here or url == options.configroot.supervisorctl.serverurl


def code(error: Exception) -> int:
    """The fault code of a failed call, 0 if there was no answer."""
    return error.faultCode if isinstance(error, Fault) else 0


def why(error: Exception) -> str:
    """The operator's error line for a call that failed."""
    if not isinstance(error, Fault):
        return f"supervisord does not answer: {printable(str(error))}"
    if error.faultCode == Faults.BAD_NAME:
        return STRANGER
    if error.faultCode == Faults.UNKNOWN_METHOD:
        return "supervisord has loaded another version of supervisor_unicorn; restart supervisord"
    if error.faultCode == Faults.SHUTDOWN_STATE:
        return "supervisord is shutting down or reloading"
    return error.faultString.partition(": ")[2] or error.faultString
