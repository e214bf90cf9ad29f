"""What `supervisor_unicorn` prints for a configuration, and what its driver says by hand."""

from __future__ import annotations

import configparser
import subprocess

from ...kit.programs import BIN
from .shared import echo_conf


def test_echo_conf_can_be_pasted() -> None:
    """--echo-conf prints three sections that a configuration takes as they are."""
    text = echo_conf("web", "api")
    parsed = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parsed.read_string(text)
    assert parsed.sections() == [
        "rpcinterface:unicorn",
        "eventlistener:unicorn_handover",
        "ctlplugin:unicorn",
    ]
    assert "\nprograms = web api\n" in text
    assert parsed["eventlistener:unicorn_handover"]["command"] == f"{BIN}/supervisor_unicorn"
    assert dict(parsed["rpcinterface:unicorn"]) == {
        "supervisor.rpcinterface_factory": "supervisor_unicorn:make_rpcinterface",
        "programs": "web api",
    }


def test_the_driver_started_by_hand_says_what_it_is_for() -> None:
    """Without supervisord the driver ends with status 2 and one line."""
    done = subprocess.run(
        [f"{BIN}/supervisor_unicorn"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2 and "--echo-conf" in done.stderr and done.stderr.count("\n") == 1
