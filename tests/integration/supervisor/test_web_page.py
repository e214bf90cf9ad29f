"""Supervisor's own web page: its Restart buttons are handovers, by its links and in a browser."""

from __future__ import annotations

import html
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from ...kit.load import Load
from ...kit.programs import Program, free_port
from ...kit.supervisor_host import SupervisorHost
from ...waiting import LIMIT
from ..conftest import MakeHost

SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HTTP = "[inet_http_server]\nport = 127.0.0.1:{port}\n{credentials}"
ROW_OF_WEB = "//tr[td//a[normalize-space()='web']]"
CREDENTIALS = "username = operator\npassword = secret"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with nothing in it."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in [*SWITCHES, f"--user-data-dir={tmp_path}/chromium"]:
        options.add_argument(switch)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    chromium = webdriver.Chrome(options, service)
    yield chromium
    chromium.quit()


class Page:
    """supervisord's status page, whose buttons are links."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"

    def press(self, name: str, button: str = "Restart") -> str:
        """Follow a program's button and return the message that the page shows then."""
        return self._follow(f"processname={name}&action={button.lower()}")

    def press_restart_all(self) -> str:
        """Follow the button above the table."""
        return self._follow("action=restartall")

    def _follow(self, action: str) -> str:
        links = map(html.unescape, re.findall(r'href="([^"]*)"', _get(self.url)))
        link = next(link for link in links if link.endswith(action))
        answer = _get(urllib.parse.urljoin(self.url, link))
        shown = re.search(r'class="status_msg"[^>]*>(.*?)</div>', answer, re.DOTALL)
        assert shown, answer
        return html.unescape(shown[1])


def _get(url: str) -> str:
    """What is shown there, or where it sends a browser to."""
    with urllib.request.urlopen(url, timeout=LIMIT) as answer:
        return str(answer.read().decode())


@pytest.fixture
def host(make_supervisor: MakeHost, folder: Path) -> SupervisorHost:
    """A supervisord with a page, a managed program and another one."""
    cat = Program(folder, name="other")
    host = make_supervisor(Program(folder), cat, unmanaged=["other"])
    assert isinstance(host, SupervisorHost)
    host.more = HTTP.format(port=free_port(), credentials="")
    return host


def _port(host: SupervisorHost) -> int:
    return int(host.more.partition("port = 127.0.0.1:")[2].split()[0])


def test_restart_button_hands_over(host: SupervisorHost) -> None:
    """Every press of Restart on a managed program is a handover, loses no request, and says so."""
    host.start()
    web = host.programs["web"]
    page = Page(_port(host))
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            first = host.master("web")
            web.write(release)
            message = page.press("web")
            second = host.wait_for_rest("web")
            assert f"Process web handed over from pid {first} to {second}" in message
            assert second != first and web.ask().release == release
    assert load.failures == []


def test_restart_button_says_why_it_failed(host: SupervisorHost) -> None:
    """Restart on a broken release costs nothing, and the page shows the reason."""
    host.start()
    web, first = host.programs["web"], host.master("web")
    web.write("v2", "config")
    page = Page(_port(host))
    with Load(web.address) as load:
        message = page.press("web")
    assert "ERROR: Process web was not restarted: the new master" in message
    assert host.wait_for_rest("web") == first and load.failures == []


def test_restart_button_of_other_programs(host: SupervisorHost) -> None:
    """Restart on a program that is not managed is Supervisor's own, as are Stop and Start."""
    host.start()
    first = host.master("other")
    page = Page(_port(host))
    assert "Process other restarted" in page.press("other")
    assert host.master("other") != first
    assert "Process web stopped" in page.press("web", "Stop")
    assert host.state("web") == "stopped"
    assert "Process web started" in page.press("web", "Start")
    assert host.wait_for_rest("web")


def test_restart_all_button(host: SupervisorHost) -> None:
    """Restart All hands the managed programs over and restarts the others."""
    host.start()
    web, first, other = host.programs["web"], host.master("web"), host.master("other")
    page = Page(_port(host))
    with Load(web.address) as load:
        message = page.press_restart_all()
        second = host.wait_for_rest("web")
    assert f"Process web handed over from pid {first} to {second}" in message
    assert host.master("other") != other and load.failures == []


def test_restart_all_button_starts_a_stopped_driver(host: SupervisorHost) -> None:
    """Restart All starts what is stopped, so also the driver, which the handovers need."""
    host.start()
    first = host.master("web")
    host.stop_driver()
    message = Page(_port(host)).press_restart_all()
    second = host.wait_for_rest("web")
    assert f"Process web handed over from pid {first} to {second}" in message
    assert host.driver_is_there()


NO_RESTARTS = [
    "tail.html?processname=web&action=restart",
    "ok.html?action=restartall",
    "index.html?processname=web&action=refresh&action=restart",
]


def test_what_supervisor_takes_for_no_restart(host: SupervisorHost) -> None:
    """Only the status page restarts, and of a key that comes twice the first one counts."""
    host.start()
    first = host.master("web")
    for path in NO_RESTARTS:
        url = f"http://127.0.0.1:{_port(host)}/{path}"
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            assert "handed" not in answer.geturl()
    assert host.phase("web") == "idle" and not host.ended("web") and host.master("web") == first


def test_restart_button_needs_the_password(browser: webdriver.Chrome, host: SupervisorHost) -> None:
    """A click in a real browser is a handover, and asks for the password if the page does."""
    port = free_port()
    host.more = HTTP.format(port=port, credentials=CREDENTIALS)
    host.start()
    first = host.master("web")
    browser.get(f"http://127.0.0.1:{port}/index.html?processname=web&action=restart")
    assert host.phase("web") == "idle" and host.master("web") == first and not host.ended("web")
    browser.get(f"http://operator:secret@127.0.0.1:{port}/")
    browser.find_element(By.XPATH, f"{ROW_OF_WEB}//a[@name='Restart']").click()
    WebDriverWait(browser, LIMIT).until(lambda b: "message=" in b.current_url)
    message = browser.find_element(By.CLASS_NAME, "status_msg").text
    assert f"Process web handed over from pid {first}" in message
