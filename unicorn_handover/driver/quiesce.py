"""Whether the old workers are stopped in a soak, so that the new release serves alone.

Workers that are brought back come from what the old master is. One that has its application in
memory forks them as they were; any other has them load it from the disk, where the new release is.
"""

from __future__ import annotations

from ..model.options import Options
from ..model.record import Record
from ..servers import Server


def why_both_serve(server: Server, options: Options, record: Record) -> str:
    """Return why the old workers are not stopped, as an operator reads it, or "" if they are."""
    if server.quiesce is None:
        return f"{server.name} cannot stop its workers in the foreground"
    if options.quiesce == "no":
        return "quiesce = no"
    if options.quiesce == "auto" and not record.preloaded:
        return (
            f"pid {record.old.pid} is not known to have its application in memory, "
            "so that its workers would come back with the new release (quiesce = auto)"
        )
    return ""
