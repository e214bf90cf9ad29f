"""The cases of a promise that has more of them than hosts, servers and ways to load."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ...kit.hosts import ALL

Cell = tuple[Any, ...]

SERVED = list(itertools.product(["unicorn", "gunicorn"], ["lazy", "preload"]))


def on_every_host(cells: Iterable[Cell]) -> list[Cell]:
    """Each cell on each host."""
    return [(host, *cell) for host, cell in itertools.product(ALL, cells)]


def served_on(listeners: Iterable[str]) -> list[Cell]:
    """Each server, with each way to load, on each host: on one kind of socket after the other."""
    return [(*cell, kind) for cell, kind in zip(on_every_host(SERVED), itertools.cycle(listeners))]


def in_turn(cells: Iterable[Cell]) -> list[Cell]:
    """Cells of what is the engine's alone: each one on one host, the next one on the next."""
    return [(host, *cell) for host, cell in zip(itertools.cycle(ALL), cells)]
