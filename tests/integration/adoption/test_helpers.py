"""What a master started beside its workers is no master, and ends with the program."""

from __future__ import annotations

from pathlib import Path

from ...kit.processes import MARK, Found, end, kill, look
from ...kit.programs import Program
from ...waiting import wait_until
from ..conftest import MakeHost
from ..scenes import (
    hand_over,
)

STARTS_HELPERS = """\
before_fork do |server, worker|
  $helper ||= spawn({{"{mark}" => nil}}, "sleep", "600", chdir: "/").tap do |pid|
    File.write("{path}", "#{{pid}}\n", mode: "a")
  end
end
"""


class Helpers:
    """What each master of a program has started, once, and the test has to end."""

    def __init__(self, program: Program) -> None:
        self._path = program.folder / "helpers"
        program.settings = STARTS_HELPERS.format(mark=MARK, path=self._path)
        program.write("v1")

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def living(self) -> list[Found]:
        """Those that live, the eldest first."""
        pids = self._path.read_text().split() if self._path.exists() else []
        return [found for found in map(look, map(int, pids)) if found]

    def end(self) -> None:
        """End all."""
        end(*self.living())


def test_a_program_that_a_master_started_is_no_master(make_host: MakeHost, folder: Path) -> None:
    """A job runner beside the app has a re-executed unicorn's sockets, and is never adopted."""
    web = Program(folder, restarted=True)
    with Helpers(web) as helpers:
        host = make_host(web)
        host.start()
        hand_over(host)
        last = hand_over(host, release="v3")
        kill(look(last))
        wait_until(lambda: host.master("web") != last, "the host knows of its end")
        assert host.master("web") not in {helper.pid for helper in helpers.living()}
        helpers.end()  # they hold the sockets that the next master needs
        host.wait_for_rest("web")


def test_a_program_with_a_master_s_sockets_does_not_outlive_a_stop(
    make_host: MakeHost, folder: Path
) -> None:
    """It would answer, or be in the way of the next start."""
    web = Program(folder)
    with Helpers(web) as helpers:
        host = make_host(web)
        host.start()
        hand_over(host)
        first, second = helpers.living()  # the first has no sockets
        assert host.stop("web").ok
        wait_until(lambda: helpers.living() == [first], "the second has ended")
        assert "left behind" in host.host_log() and str(second.pid) in host.host_log()
        assert host.begin("web").ok
        host.wait_for_rest("web")
