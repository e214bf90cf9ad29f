"""A listener of a made-up master."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace


@dataclass
class Made:
    """A listener of a made-up master."""

    number: int
    path: str = ""
    keep_alive: bool = False
    close_on_exec: bool = True
    backlog: int = 1024
    reuse_port: bool = False
    name: str = "127.0.0.1:80"
    closed: bool = False
    inode: int = 0
    copy: int = 20  # the descriptor of the copy

    @property
    def socket(self) -> SimpleNamespace:
        return SimpleNamespace(fileno=lambda: self.copy)

    def close(self) -> None:
        self.closed = True
