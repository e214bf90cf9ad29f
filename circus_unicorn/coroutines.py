"""Tornado's coroutines as Circus writes them: they run at once, up to their first `yield`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Callable, cast

from tornado.gen import coroutine as untyped_coroutine

Steps = Generator[Any, Any, Any]

coroutine = cast(Callable[[Callable[..., Steps]], Callable[..., Any]], untyped_coroutine)
