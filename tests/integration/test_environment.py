"""What an application adds to its master's environment does not outlive a handover."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.load import Load
from ..kit.programs import UNICORN, Program
from ..waiting import wait_until
from .conftest import MakeHost

ROOT = Path(__file__).parents[2]

# An application as Rails has it: Bundler, then dotenv, each of which keeps what it finds.
RUBY = """\
ENV["BUNDLE_GEMFILE"] ||= File.expand_path("Gemfile", __dir__)
require "bundler/setup"
require "dotenv"
Dotenv.load(File.expand_path(".env", __dir__))
"""
GEMFILE = 'gem "dotenv"\ngem "rack"\ngem "unicorn"\n'

# As python-dotenv does it.
PYTHON = """\
import os
with open({env!r}) as file:
    os.environ.setdefault(*file.read().strip().split("="))
"""


@pytest.fixture(autouse=True)
def cheap_starts() -> None:
    """Start Ruby with Rubygems, which Bundler is a part of."""


def documented(language: str, name: str) -> str:
    """The lines for a server's configuration that docs/supervisor.md has on something."""
    text = (ROOT / "docs" / "supervisor.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (lines,) = (block for block in blocks if name in block)
    return str(lines)


UNICORN_LINES = documented("ruby", "$environment")
GUNICORN_LINES = documented("python", "env_orig")


def test_the_examples_have_the_documented_lines() -> None:
    """Who starts from examples/ has them."""
    assert UNICORN_LINES in (ROOT / "examples" / "unicorn.rb").read_text()
    assert GUNICORN_LINES in (ROOT / "examples" / "gunicorn.conf.py").read_text()


def hang_up(host: Host) -> None:
    """Let a program's master read its configuration again; it still has the application."""
    before = {found.pid for found in host.workers("web")}
    assert host.signal("web", "HUP").ok
    wait_until(lambda: before.isdisjoint(f.pid for f in host.workers("web")), "workers are new")
    wait_until(lambda: host.at_rest("web"), "web has all its workers")


def deploy(web: Program, release: str) -> None:
    """Put a release into a folder of its own, with its .env and Gemfile, and move the link."""
    web.write(release)
    folder = web.folder / "releases" / release
    folder.mkdir(parents=True)
    app = (web.folder / "config.ru").read_text()
    named = app.replace(f'"{release} worker', '"#{ENV["RELEASE"]} worker')
    (folder / "config.ru").write_text(RUBY + named)
    (folder / "Gemfile").write_text(GEMFILE)
    (folder / ".env").write_text(f"RELEASE={release}\n")
    link = web.folder / "next"
    link.symlink_to(folder)
    os.replace(link, web.folder / "current")


@pytest.mark.parametrize(
    ("host_class", "unix"), [("supervisor", True), ("circus", False)], indirect=["host_class"]
)
def test_a_changed_env_is_read(make_host: MakeHost, folder: Path, unix: bool) -> None:
    """Without those lines: no request is lost, and the host starts the master that reads it.

    What is changed besides needs no such start, a sample of an .env least of all.
    """
    web = Program(folder, unix=unix, preload=True)
    web.settings = f'working_directory "{web.folder}"\n'
    env, sample = web.folder / ".env", web.folder / ".env.example"
    env.write_text("v1")

    def write(release: str) -> None:
        web.write(release)
        app = (web.folder / "config.ru").read_text()
        named = app.replace(f'"{release} worker', '"#{ENV["RELEASE"]} worker')
        (web.folder / "config.ru").write_text(f'ENV["RELEASE"] ||= File.read("{env}")\n{named}')

    write("v1")
    host = make_host(web)
    host.start()
    first = host.master("web")
    with Load(web.address) as load:
        write("v2")
        env.write_text("v2")
        assert host.restart("web").ok
        second = host.wait_for_rest("web")
        assert web.answers("v2")
        sample.write_text("v3")
        assert host.restart("web").ok
        host.wait_for_rest("web")
    assert load.failures == [] and load.releases() == {"v1", "v2"}
    assert [ended["method"] for ended in host.ended("web")] == ["spawn", "usr2"]
    why = f"{env} was changed since pid {first} was started, and a re-exec keeps the environment"
    assert f"starting (spawn: {why})" in host.host_log() and second != first


@pytest.mark.parametrize("bundle", [False, True], ids=["plain", "bundle-exec"])
def test_a_preloaded_unicorn_gets_a_clean_environment(
    make_supervisor: MakeHost, folder: Path, bundle: bool
) -> None:
    """With the documented lines a changed .env and Gemfile are those of the new release.

    The old release's Gemfile is gone by then, as after a deploy that cleans up. A HUP in between
    changes nothing.
    """
    gems = subprocess.run(["ruby", "-rbundler", "-rdotenv", "-e", ""], capture_output=True)
    if gems.returncode:
        pytest.skip("ruby-bundler and ruby-dotenv are not installed; `scripts/setup debian` does")
    web = Program(folder, preload=True)
    current = web.folder / "current"
    web.settings = f'{UNICORN_LINES}\nworking_directory "{current}"\n'
    web.settings = web.settings.replace("/srv/web", str(web.folder))
    web.command = f"{'bundle exec ' if bundle else ''}{UNICORN} -E none -c {web.conf}"
    web.host_options["directory"] = str(current)
    deploy(web, "v1")
    host = make_supervisor(web, options={"method": "usr2"})
    host.start()
    hang_up(host)
    for release, before in (("v2", "v1"), ("v3", "v2")):
        deploy(web, release)
        (web.folder / "releases" / before / "Gemfile").unlink()
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        assert web.ask().release == release
        host.wait_for_rest("web")


def test_a_preloaded_gunicorn_gets_a_clean_environment(
    make_supervisor: MakeHost, folder: Path
) -> None:
    """With the documented lines a HUP makes gunicorn forget nothing of its first environment."""
    web = Program(folder, server="gunicorn", preload=True, settings=GUNICORN_LINES)
    env = web.folder / ".env"

    def write(release: str) -> None:
        web.write(release)
        app = (web.folder / "app.py").read_text()
        named = app.replace(f'f"{release} worker', "f\"{os.environ['RELEASE']} worker")
        (web.folder / "app.py").write_text(PYTHON.format(env=str(env)) + named)
        env.write_text(f"RELEASE={release}\n")

    write("v1")
    host = make_supervisor(web)
    host.start()
    hang_up(host)
    for release in ("v2", "v3"):
        write(release)
        outcome = host.restart("web")
        assert outcome.ok, outcome.text
        assert web.ask().release == release
        host.wait_for_rest("web")
