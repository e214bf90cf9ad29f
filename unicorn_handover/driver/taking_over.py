"""When a new master has all that was the old one's: its pid file as well."""

from __future__ import annotations

from ..model.phases import Phase
from .situation import Situation


def has_taken_over(situation: Situation) -> bool:
    """True if the old master is gone, and nothing is left that the new one is still to do.

    A new gunicorn promotes itself within a second of the old one's end, and renames its pid file
    then: until that it has none by the usual name, and it ends if the file names another process
    (Arbiter.maybe_promote_master, Pidfile.rename). A new unicorn has its pid file from its start.
    """
    server, new = situation.server, situation.new
    if not (server and new):
        return True
    launch = situation.next_launch if situation.record.method == "spawn" else situation.launch
    path = server.configured(situation.system, new.pid, launch).pidfile
    if path is None:
        path = situation.options.pidfile or situation.record.pid_file
    if path:
        return situation.system.pid_in(path) == new.pid
    # Where there may be a pid file, but nobody knows where, the time must do.
    seen = situation.record.since if situation.record.phase is Phase.CONFIRMING else None
    waits = path is None and server.promotes_itself > 0
    return not waits or (
        seen is not None and situation.system.clock() >= seen + server.promotes_itself
    )
