"""What this plugin leaves to Supervisor, though its sections name it, and why."""

from __future__ import annotations

from supervisor.process import EventListenerPool, FastCGISubprocess, Subprocess

from .startup import same_name


def second_driver(driver: Subprocess, first: Subprocess) -> str:
    """Return the line for a driver that another one is there before."""
    group = driver.group.config.name
    fix = "set numprocs = 1" if driver.group is first.group else "take the section out"
    return f"[eventlistener:{group}] a second driver, {driver.config.name}, is not needed; {fix}"


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
