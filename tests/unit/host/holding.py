"""A fake host that may hold the sockets of its program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unicorn_handover.host.copies import Copies

from ..fake_host import FakeHost
from ..fake_listener import Made
from ..fake_system import Fake
from ..fake_unicorn import Unicorn


class Site:
    """A host whose program "web" is a unicorn with one listener a master."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.kernel, self.web = self.host.kernel, self.host.web
        self.kernel.files["/proc/sys/net/core/somaxconn"] = "4096"
        self.kernel.files["/u.rb"] = "listen 80\n"
        self.unicorn = Unicorn(self.kernel)
        self.made: list[Made] = []
        self.options(hold=30, boot_timeout=10)

    def options(self, **options: float) -> None:
        """Change the program's options."""
        self.web.options = replace(self.web.options, **options)  # type: ignore[arg-type]

    def start(self, boots: float | None = 0.0, given: Copies | None = None, **made: Any) -> Fake:
        """Start a master, on the given copies or its own socket, whose worker is ready later."""
        master = self.unicorn.spawn_alone()
        listener = Made(7, keep_alive=True, inode=900 + master.pid, **made)
        if given:
            listener = replace(given.sockets[0], closed=False)  # type: ignore[type-var]
        self.made.append(listener)
        self.kernel.listening[master.pid] = [listener]
        master.inodes = {listener.inode}
        if boots is not None:
            self.kernel.later(boots, lambda: self.unicorn.fork_worker(master, 0))
        self.master = self.web.hold(master.pid, lambda: None)
        return master

    def serve(self, **made: Any) -> Fake:
        """Start a master and wait until its socket is held."""
        master = self.start(**made)
        self.host.wait(1)
        assert self.holds
        return master

    def crash(self, master: Fake) -> None:
        """End a master, of which the host hears."""
        for child in self.unicorn.workers(master):
            self.kernel.end(child)
        self.kernel.end(master)
        self.web.died(self.master)

    @property
    def holds(self) -> bool:
        """True while a copy is open."""
        return any(not each.closed for each in self.made)

    @property
    def lines(self) -> list[str]:
        """What the operator was told of sockets."""
        return [line for line in self.host.lines if "held" in line or "sockets" in line]

    @property
    def timers(self) -> int:
        """How many timers run."""
        return len(self.host.loop.timers)  # type: ignore[attr-defined]
