"""How supervisord would start a program by a configuration of it."""

from __future__ import annotations

from supervisor.options import ProcessConfig

from unicorn_handover.servers import Launch, words_of


def launch_by(config: ProcessConfig, started_in: str) -> Launch:
    """Describe a start by this configuration to the driver; `started_in` is that of `Launch`."""
    return Launch(
        section=f"program:{config.name}",
        key="directory",
        command=words_of(config.command),
        directory=config.directory or "",
        started_in=started_in,
        user=config.uid,
        environ=config.environment or {},
    )
