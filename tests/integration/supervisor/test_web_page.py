"""Supervisor's own web page in a real browser: its Restart buttons are handovers."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from ...waiting import LIMIT
from ..conftest import MakeHost
from ..load import Load
from ..programs import Program, free_port
from ..supervisor_host import SupervisorHost

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
    """supervisord's status page."""

    def __init__(self, browser: webdriver.Chrome, port: int, credentials: str = "") -> None:
        self._browser = browser
        self.url = f"http://{credentials}127.0.0.1:{port}/"
        browser.get(self.url)

    def press(self, name: str, button: str = "Restart") -> str:
        """Press a program's button and return the message that the page shows then."""
        row = f"//tr[td//a[normalize-space()='{name}']]"
        return self._press(f"{row}//a[@name='{button}']")

    def press_restart_all(self) -> str:
        """Press the button above the table."""
        return self._press("//a[contains(@href, 'restartall')]")

    def _press(self, xpath: str) -> str:
        self._browser.get(self.url)
        self._browser.find_element(By.XPATH, xpath).click()
        WebDriverWait(self._browser, LIMIT).until(lambda b: "message=" in b.current_url)
        return str(self._browser.find_element(By.CLASS_NAME, "status_msg").text)


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


def test_restart_button_hands_over(browser: webdriver.Chrome, host: SupervisorHost) -> None:
    """Every press of Restart on a managed program is a handover, loses no request, and says so."""
    host.start()
    web = host.programs["web"]
    page = Page(browser, _port(host))
    with Load(web.address) as load:
        for release in ("v2", "v3"):
            first = host.master("web")
            web.write(release)
            message = page.press("web")
            second = host.wait_for_rest("web")
            assert f"Process web handed over from pid {first} to {second}" in message
            assert second != first and web.ask().release == release
    assert load.failures == []


def test_restart_button_says_why_it_failed(browser: webdriver.Chrome, host: SupervisorHost) -> None:
    """Restart on a broken release costs nothing, and the page shows the reason."""
    host.start()
    web, first = host.programs["web"], host.master("web")
    web.write("v2", "config")
    page = Page(browser, _port(host))
    with Load(web.address) as load:
        message = page.press("web")
    assert "ERROR: Process web was not restarted: the new master" in message
    assert host.wait_for_rest("web") == first and load.failures == []


def test_restart_button_of_other_programs(browser: webdriver.Chrome, host: SupervisorHost) -> None:
    """Restart on a program that is not managed is Supervisor's own, as are Stop and Start."""
    host.start()
    first = host.master("other")
    page = Page(browser, _port(host))
    assert "Process other restarted" in page.press("other")
    assert host.master("other") != first
    assert "Process web stopped" in page.press("web", "Stop")
    assert host.state("web") == "stopped"
    assert "Process web started" in page.press("web", "Start")
    assert host.wait_for_rest("web")


def test_restart_all_button(browser: webdriver.Chrome, host: SupervisorHost) -> None:
    """Restart All hands the managed programs over and restarts the others."""
    host.start()
    web, first, other = host.programs["web"], host.master("web"), host.master("other")
    page = Page(browser, _port(host))
    with Load(web.address) as load:
        message = page.press_restart_all()
        second = host.wait_for_rest("web")
    assert f"Process web handed over from pid {first} to {second}" in message
    assert host.master("other") != other and load.failures == []


def test_restart_all_button_starts_a_stopped_driver(
    browser: webdriver.Chrome, host: SupervisorHost
) -> None:
    """Restart All starts what is stopped, so also the driver, which the handovers need."""
    host.start()
    first = host.master("web")
    host.stop_driver()
    message = Page(browser, _port(host)).press_restart_all()
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
    """Where the page asks for a password, so does its Restart button."""
    port = free_port()
    host.more = HTTP.format(port=port, credentials=CREDENTIALS)
    host.start()
    first = host.master("web")
    browser.get(f"http://127.0.0.1:{port}/index.html?processname=web&action=restart")
    assert host.phase("web") == "idle" and host.master("web") == first and not host.ended("web")
    page = Page(browser, port, "operator:secret@")
    assert f"Process web handed over from pid {first}" in page.press("web")
