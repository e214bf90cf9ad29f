"""Commands that are run for their output, as some user."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest

from unicorn_handover.kernel.run import Ids, Run, ids_for
from unicorn_handover.kernel.system import System

from ...waiting import wait_until


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
def test_a_command_is_another_user_s() -> None:
    """It has that one's user, group and groups, and no more rights than those."""
    run = Run(["id"], "/", Ids(65534, 65533, (65532,)), {})
    wait_until(lambda: run.ended, "it has ended")
    found = re.sub(r"\([^)]*\)", "", run.output)
    run.close()
    assert found == "uid=65534 gid=65533 groups=65533,65532\n"


def test_a_command_is_run(tmp_path: Path) -> None:
    """Its output and status are there when it has ended."""
    own = ids_for(None, None)
    run = Run(["sh", "-c", "pwd; echo $A >&2; exit 3"], str(tmp_path), own, {"A": "b"})
    wait_until(lambda: run.ended, "it has ended")
    assert (run.status, run.output) == (3, f"{tmp_path}\nb\n")
    run.close()
    with pytest.raises(FileNotFoundError):
        Run(["/nosuch"], "", own, {})


def test_a_command_that_does_not_end_is_killed() -> None:
    """So is what it has started."""
    run = Run(["sh", "-c", "sleep 600 & echo $!; wait"], "", ids_for(None, None), {})
    wait_until(lambda: run.output.endswith("\n"), "it has started another one")
    started = System().hold(int(run.output))
    run.close()
    wait_until(lambda: run.ended, "it has ended")
    assert run.status < 0 and started
    wait_until(lambda: not started.alive(), "the other one has ended")
    started.close()


def test_nothing_waits_for_a_command_that_cannot_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a disk ends when that answers: the driver has other programs."""
    run = Run(["sleep", "600"], "", ids_for(None, None), {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", lambda group, number: None)
        run.close()
    assert not run.ended
    run.close()
    wait_until(lambda: run.ended, "it has ended")


def test_ids_are_those_that_a_host_would_give() -> None:
    """By name or number; without any they are this process's own, whether it has a name or not."""
    own, nobody = Ids(os.geteuid(), os.getegid(), tuple(os.getgroups())), pwd.getpwnam("nobody")
    assert ids_for(None, None) == ids_for(os.geteuid(), None) == own
    assert ids_for(None, 12345) == own._replace(group=12345)
    assert ids_for("nobody", None) == ids_for(str(nobody.pw_uid), None)
    assert ids_for("nobody", None)[:2] == (nobody.pw_uid, nobody.pw_gid)
    assert ids_for(nobody.pw_uid, "root").group == 0
    for unknown in (("no such", None), (None, "no such"), (4000000, None)):
        with pytest.raises(ProcessLookupError):
            ids_for(*unknown)
