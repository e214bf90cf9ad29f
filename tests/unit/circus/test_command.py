"""The command `circus_unicorn`: where it finds circusd."""

from __future__ import annotations

from pathlib import Path

import pytest

from circus_unicorn import command


@pytest.mark.parametrize("endpoint", ["foo", ""])
def test_circus_unicorn_with_no_endpoint_at_all(
    capsys: pytest.CaptureFixture[str], endpoint: str
) -> None:
    """What is not an endpoint is one line, and exit status 1."""
    assert command.main(["--endpoint", endpoint, "status"]) == 1
    assert (
        capsys.readouterr().err
        == f"{endpoint or '--endpoint'}: Invalid argument (addr='{endpoint}')\n"
    )


def test_circus_unicorn_finds_circusd_as_circusctl_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the environment, unless told; --timeout and --endpoint may follow the command."""
    monkeypatch.setenv("CIRCUSCTL_ENDPOINT", f"ipc://{tmp_path}/one")
    assert command.main(["status", "--timeout", "0.01"]) == 1
    assert capsys.readouterr().err == f"ipc://{tmp_path}/one: Timed out.\n"
    assert command.main(["status", "--timeout", "0.01", "--endpoint", f"ipc://{tmp_path}/2"]) == 1
    assert capsys.readouterr().err == f"ipc://{tmp_path}/2: Timed out.\n"
