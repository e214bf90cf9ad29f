"""The cause of a failed restart is told wherever the program writes it, and among whatever."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..kit.circus_host import CircusHost
from ..kit.host import Host
from ..kit.load import Load
from ..kit.programs import Program
from .conftest import MakeHost

# Of the section that starts the program: where its output goes.
ELSEWHERE = {
    "supervisor": {
        "/dev/stdout": {"stdout_logfile": "/dev/stdout", "stdout_logfile_maxbytes": "0"},
        "nowhere": {"stdout_logfile": "NONE"},
    },
    "circus": {"stdout": {"stdout_stream.class": "StdoutStream", "stdout_stream.filename": ""}},
}
ROTATED = {"stdout_logfile_maxbytes": "2KB", "stdout_logfile_backups": "1"}


def cause_shown(host: Host, web: Program) -> None:
    """Restart with a broken release; the answer has its message and nothing of the old workers."""
    web.write("v2", "raises")
    outcome = host.restart("web")
    assert not outcome.ok and "release v2 is broken" in outcome.text, outcome.text
    assert "HTTP/1." not in outcome.text, outcome.text


@pytest.mark.parametrize("host_class", ["supervisor", "circus"], indirect=True)
def test_among_access_lines(make_host: MakeHost, folder: Path, host_class: type[Host]) -> None:
    """Old workers that log each request do not push the exception out, nor out of the log file."""
    web = Program(folder, server="gunicorn", settings="accesslog = '-'")
    if host_class is not CircusHost:
        web.host_options |= {"redirect_stderr": "true", **ROTATED}
    host = make_host(web)
    host.start()
    with Load(web.address) as load:
        cause_shown(host, web)
    assert load.failures == []


@pytest.mark.parametrize(
    ("host_class", "where"),
    [(host, where) for host in ELSEWHERE for where in ELSEWHERE[host]],
    indirect=["host_class"],
)
def test_past_log_files(
    make_host: MakeHost, folder: Path, host_class: type[Host], where: str
) -> None:
    """What the host writes to no file, but has read out of its pipes, is told all the same."""
    web = Program(folder)
    options = ELSEWHERE[host_class.name][where]
    web.host_options |= options
    web.host_options |= {k.replace("stdout", "stderr"): v for k, v in options.items()}
    host = make_host(web)
    host.start()
    cause_shown(host, web)


@pytest.mark.parametrize(
    ("host_class", "server", "settings", "preload"),
    [
        ("supervisor", "unicorn", "stderr_path {!r}", True),
        ("circus", "gunicorn", "errorlog = {!r}", False),
    ],
    indirect=["host_class"],
)
def test_in_a_file_of_the_server_s_own(
    make_host: MakeHost, folder: Path, server: str, settings: str, preload: bool
) -> None:
    """unicorn's stderr_path and gunicorn's errorlog are read from where the handover began."""
    log = folder / "own.log"
    log.write_text("RuntimeError: of long ago\n")
    web = Program(folder, server=server, preload=preload)
    web.settings = settings.format(str(log))
    web.write("v1")
    host = make_host(web)
    host.start()
    cause_shown(host, web)
    assert "long ago" not in host.restart("web").text


def test_circusd_s_own_output(circusd: CircusHost, web: Program) -> None:
    """A watcher without streams writes past circusd: then it is told where, and how to see it."""
    keys = ("stdout_stream.class", "stdout_stream.filename")
    web.host_options = {k: "" for key in keys for k in (key, key.replace("stdout", "stderr"))}
    circusd.prefix = ["sh", "-c", 'exec "$0" "$@" >/dev/null 2>&1']
    circusd.start()
    web.write("v2", "exits")
    outcome = circusd.restart("web")
    assert not outcome.ok and "stderr_stream.class = StdoutStream" in outcome.text
