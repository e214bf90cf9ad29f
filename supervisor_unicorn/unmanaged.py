"""Why a program that [rpcinterface:unicorn] lists is not managed all the same."""

from __future__ import annotations

from supervisor.process import EventListenerPool, FastCGISubprocess, Subprocess

from .startup import same_name


def why_unmanaged(process: Subprocess, is_driver: bool) -> str:
    """Return what keeps a listed program of supervisord's from being managed."""
    group, name = process.group.config.name, process.config.name
    if is_driver:
        return same_name(group)
    if isinstance(process.group, EventListenerPool):
        return f"[eventlistener:{group}] is an event listener, no server; take {group} off the list"
    if isinstance(process, FastCGISubprocess):
        return (
            f"[fcgi-program:{name}] cannot be handed over, for supervisord itself opens its socket "
            f"and gives it to each process it starts; make it a [program:{name}] whose server "
            "opens the socket"
        )
    if type(process) is Subprocess:
        return f"[program:{name}] was started before this plugin was loaded; stop and start it"
    return f"[program:{name}] is run by another plugin, as {type(process).__qualname__}"
