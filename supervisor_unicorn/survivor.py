"""A managed program that outlives its supervisord, and is taken over by the next one."""

from __future__ import annotations

import time
from logging import INFO, WARNING
from typing import Any

from supervisor.options import ProcessConfig
from supervisor.states import ProcessStates, SupervisorStates

from unicorn_handover.host.guard import contained
from unicorn_handover.host.master import Master
from unicorn_handover.host.program import Program
from unicorn_handover.host.survival import Survivor

from .configured import ConfiguredSubprocess
from .output import listen
from .pipes import reopen_pipes
from .section import from_json, to_json


class SurvivingSubprocess(ConfiguredSubprocess):
    """A program whose master may be none of supervisord's children."""

    pipes: Any
    dispatchers: Any

    def __init__(self, config: ProcessConfig, program: Program) -> None:
        super().__init__(config, program)
        self._master: Master | None = None

    def log_warning(self, text: str) -> None:
        """Write a warning to supervisord's log."""
        self.program.log(WARNING, text)

    def take_beside_over(self, own: dict[str, Any]) -> None:
        """Take over what an earlier supervisord has started beside the running master."""

    def failed(self, text: str) -> None:
        """Log a contained error of this plugin."""
        self.program.failed(text)

    def remembered(self) -> dict[str, Any]:
        """What the next supervisord needs to take the running program over."""
        return {
            "section": to_json(self.config),
            "started": self.laststart,
            "started_in": self._started_in,
        }

    @contained()
    def take_over(self) -> None:
        """Take over what an earlier supervisord has left of this program, if it has."""
        survivor = self.program.survival.find()
        if survivor is None:
            return
        if survivor.master:
            self._take(survivor, survivor.master.pid)
        elif self.program.survival.stays_stopped:
            self._stay_stopped()

    def _take(self, survivor: Survivor, pid: int) -> None:
        own = survivor.note.own
        beside = own.get("beside") or {}
        self._restore_section(beside if survivor.was_beside else own)
        self.laststart = _past(own.get("started"))
        self._master = self.program.hold(pid, self._exited, survivor.group)
        self.pid = pid
        self.config.options.pidhistory[pid] = self
        if self._master.process:
            reopen_pipes(self, self._master.process, self.log_warning)
        listen(self, self.program.output)
        self.change_state(ProcessStates.STARTING)
        self.program.survival.resume(survivor)
        self.take_beside_over(beside)
        if survivor.note.ending:
            self.program.log(INFO, "it was being stopped, which goes on")
            self.stop()

    def _stay_stopped(self) -> None:
        self.laststart = self.laststop = time.time()  # Supervisor starts what never ran
        self.program.log(
            INFO,
            "it was stopped by command before supervisord was killed, and is not started; "
            f"`supervisorctl start {self.program.name}`",
        )

    @contained()
    def section_of(self, own: dict[str, Any]) -> ProcessConfig | None:
        """The section that an earlier supervisord has remembered, None if it has not."""
        return from_json(self.config, own["section"]) if "section" in own else None

    def _restore_section(self, own: dict[str, Any]) -> None:
        """Let the section be in force by which the master was started, as after `reread`."""
        then = self.section_of(own)
        if then and then is not self.config:
            self.read_config = self.config
            self.program.log(INFO, "its section was changed; `supervisorctl update` hands it over")
        self.bring_into_force(then or self.config, str(own.get("started_in", "")))

    def _exited(self) -> None:
        """Finish a master that is not reaped by supervisord, as it finishes those that are."""
        master = self._master
        if master is None or master.is_child:
            return
        was_shut_down = self.program.survival.ending == "shutdown"
        self.config.options.pidhistory.pop(master.pid, None)
        self.finish(master.pid, self._status_of(master))
        if was_shut_down and self.state == ProcessStates.STOPPED and self._is_wanted:
            self.laststart = 0.0  # Supervisor starts what never ran

    @property
    def _is_wanted(self) -> bool:
        """True unless supervisord is about to end."""
        return bool(self.config.options.mood == SupervisorStates.RUNNING)

    def _status_of(self, master: Master) -> int:
        """How it ended, as waitpid(2) tells it; an unexpected exit status if that is unknown."""
        if master.status is not None:
            return master.status
        known = self.config.exitcodes
        code = next(code for code in range(255, 0, -1) if code not in known or len(known) > 254)
        self.program.log(
            WARNING,
            f"how pid {master.pid} ended is unknown, for it was another supervisord's child; it "
            f"is taken for an unexpected exit status, {code}",
        )
        return code << 8

    @property
    def is_to_stay(self) -> bool:
        """True if supervisord is about to end without this program."""
        is_left = self.program.survival.left and self._master is not None
        return is_left and not self._is_wanted

    def signal(self, sig: int) -> str | None:
        """Signal it as Supervisor does, but never whoever has a dead survivor's number by now."""
        self.see_end()
        error: str | None = ConfiguredSubprocess.signal(self, sig)
        return error

    def see_end(self) -> None:
        """Finish a survivor that has ended just now: its number may be another process's."""
        if self._master and not self._master.is_child:
            self._master.settle()

    def stop(self) -> str | None:
        """Stop it, or leave it to the next supervisord."""
        if self.is_to_stay:
            self._leave()
            return None
        error: str | None = ConfiguredSubprocess.stop(self)
        return error

    def _leave(self) -> None:
        """Let supervisord see no running process here; the master runs on, and is remembered."""
        self.program.survival.leave()
        self.program.log(INFO, f"pid {self.pid} is left running, for the next supervisord")
        self.config.options.pidhistory.pop(self.pid, None)
        self.program.release()
        self.config.options.close_parent_pipes(self.pipes)
        self.pipes, self.dispatchers = {}, {}
        self._master = None
        self.pid, self.state = 0, ProcessStates.STOPPED


def _past(moment: Any) -> float:
    """A remembered time, or now if it is none of the past."""
    now = time.time()
    return float(moment) if isinstance(moment, (int, float)) and 0 < moment < now else now
