"""How many workers `incr` finds, while the last of them begins to run."""

from __future__ import annotations

from signal import SIGTTIN, SIGTTOU, SIGUSR2, SIGWINCH, Signals
from types import SimpleNamespace

from tornado.ioloop import IOLoop

from circus_unicorn.workers import Workers
from unicorn_handover.kernel.pipes import PipeEnds
from unicorn_handover.model.options import Options
from unicorn_handover.model.record import MasterId

from ..fake_system import FakeSystem

TITLE, NONE = ["unicorn master -c u"], frozenset()
FIRST, SECOND = frozenset({"pipe:[1]"}), frozenset({"pipe:[2]"})


class System(FakeSystem):
    """A kernel in which a worker closes one end of its pipe after the first look at it."""

    fresh = 0  # the pid of that worker
    looks = 0

    def pipe_ends(self, pid: int) -> PipeEnds | None:
        """The ends that a process has open."""
        self.looks += pid == self.fresh
        if pid == self.fresh and self.looks > 1:
            return PipeEnds(SECOND, NONE)
        return super().pipe_ends(pid)


def test_a_worker_that_just_begins_to_run_is_counted() -> None:
    """Between its fork and its title nothing shows it, and that lasts on a busy machine."""
    system = System()
    sent: list[Signals] = []

    def obey(number: Signals) -> None:
        sent.append(number)
        fresh.words = ["unicorn worker[1] -c u"]
        system.add(ppid=master.pid, forked=True, words=["unicorn worker[2] -c u"])

    master = system.add(
        ppid=1,
        forked=False,
        words=TITLE,
        catches={SIGUSR2, SIGWINCH, SIGTTIN, SIGTTOU},
        pipes=PipeEnds(NONE, FIRST | SECOND),
        obey=obey,
    )
    system.add(ppid=master.pid, forked=True, words=["unicorn worker[0] -c u"])
    fresh = system.add(
        ppid=master.pid, forked=True, words=TITLE, pipes=PipeEnds(SECOND, FIRST | SECOND)
    )
    system.fresh = fresh.pid
    held = system.hold(master.pid)
    watcher = SimpleNamespace(
        is_managed=True,
        is_stopped=lambda: False,
        master=MasterId(master.pid, master.start),
        process=SimpleNamespace(master=SimpleNamespace(process=held), all_masters=lambda: [held]),
    )
    program = SimpleNamespace(system=system, options=Options(), name="web")
    workers = Workers(watcher, program)
    assert IOLoop(make_current=False).run_sync(lambda: workers.change(1), timeout=10) == 3
    assert sent == [SIGTTIN]
