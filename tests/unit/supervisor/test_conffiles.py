"""supervisord's configuration files, read as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor_unicorn.conffiles import ConfFiles, programs
from supervisor_unicorn.startup import complaints, joined

MAIN = """\
[supervisord]
[supervisorctl]
[include]
files = conf.d/*.conf conf.d/b.conf supervisord.conf more/%(ENV_WHAT)s.conf
"""
INTERFACE = """\
[rpcinterface:unicorn] ; see [1]
supervisor.rpcinterface_factory = supervisor_unicorn:make_rpcinterface
programs = {programs} ; of ours
"""
CTLPLUGIN = """\
[ctlplugin:unicorn]
supervisor.ctl_factory = supervisor_unicorn:make_ctlplugin
"""


class Options:
    """What `complaints` looks at of supervisord's own options."""

    rpcinterface_factories: tuple[()] = ()
    process_group_configs: tuple[()] = ()


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A main file that includes others."""
    monkeypatch.setenv("WHAT", "that")
    for name in ("conf.d", "more"):
        (tmp_path / name).mkdir()
    path = tmp_path / "supervisord.conf"
    path.write_text(MAIN)
    return path


def told(main: Path) -> list[str]:
    """What the operator is told of these files."""
    return complaints(Options(), ConfFiles(str(main)), [])


def listed(main: Path) -> list[str]:
    """The programs that all sections of these files list."""
    return [n for s in ConfFiles(str(main)).ours("rpcinterface") for n in programs(s)]


def test_included_files_are_found_as_supervisor_finds_them(main: Path) -> None:
    """By patterns relative to the main file, in order, with what Supervisor expands."""
    folder = main.parent
    (folder / "conf.d" / "b.conf").write_text(INTERFACE.format(programs="b"))
    (folder / "conf.d" / "a.conf").write_text(INTERFACE.format(programs="%(ENV_WHAT)s, c"))
    (folder / "more" / "that.conf").write_text(INTERFACE.format(programs="d"))
    (folder / "more" / "other.conf").write_text(INTERFACE.format(programs="e"))
    assert listed(main) == ["that", "c", "b", "d"]


@pytest.mark.parametrize(
    "text",
    [
        INTERFACE.format(programs="%(nosuch)s"),
        "[rpcinterface:unicorn]\nno key at all\n",
        INTERFACE.format(programs="web").replace("supervisor_unicorn:", "other_package:"),
        INTERFACE.format(programs="web").replace("\n", "\n;"),
        "programs = web\n",
    ],
)
def test_what_is_not_ours_lists_nothing(main: Path, text: str) -> None:
    """A section that Supervisor cannot read, or that is another package's, raises nothing."""
    main.write_text(MAIN + text)
    assert listed(main) == []


def test_a_file_that_is_not_there_has_no_sections(tmp_path: Path) -> None:
    """Nothing is raised into supervisord, and nothing is told of what cannot be read."""
    assert ConfFiles(str(tmp_path / "nosuch")).sections == []
    assert told(tmp_path / "nosuch") == []


def test_a_ctlplugin_in_an_included_file(main: Path) -> None:
    """supervisorctl does not read it, so what, where and the fix are told."""
    included = main.parent / "conf.d" / "unicorn.conf"
    included.write_text(f"; of ours\n{CTLPLUGIN}")
    (line,) = told(main)
    assert line.startswith(f"[ctlplugin:unicorn] is not in the main file {main}, and supervisorctl")
    assert line.endswith(f"; move it there from {included}:2")
    main.write_text(MAIN + CTLPLUGIN)
    assert told(main) == []


def test_no_ctlplugin_at_all(main: Path) -> None:
    """It is told, unless supervisorctl must have a configuration of its own."""
    (line,) = told(main)
    assert line.endswith("; add it there")
    main.write_text(MAIN.replace("[supervisorctl]\n", ""))
    assert told(main) == []


def test_two_sections_of_one_name_are_read_as_one(main: Path) -> None:
    """No program is dropped silently, wherever the second section is."""
    main.write_text(MAIN + CTLPLUGIN + INTERFACE.format(programs="web api"))
    (main.parent / "conf.d" / "b.conf").write_text(INTERFACE.format(programs="api jobs"))
    files = ConfFiles(str(main))
    assert joined({"programs": "api jobs", "soak": "5"}, files) == {
        "programs": "web api api jobs",
        "soak": "5",
    }
    (line,) = told(main)
    assert line.startswith(f"[rpcinterface:unicorn] is there 2 times, in {main}:7 and ")
    assert line.endswith("make it one section with programs = web api jobs")


def test_one_section_is_taken_as_supervisor_reads_it(main: Path) -> None:
    """What Supervisor gives is not touched."""
    main.write_text(MAIN + CTLPLUGIN + INTERFACE.format(programs="web"))
    assert joined({"programs": "x"}, ConfFiles(str(main))) == {"programs": "x"}
