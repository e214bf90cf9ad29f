"""Tornado's coroutines as Circus writes them: they run at once, up to their first `yield`.

And Circus's lock around a command, typed in the same way.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Callable, TypeVar, cast

from circus.util import synchronized as untyped_synchronized
from tornado.gen import coroutine as untyped_coroutine

Act = TypeVar("Act", bound=Callable[..., Any])
Steps = Generator[Any, Any, Any]

coroutine = cast(Callable[[Callable[..., Steps]], Callable[..., Any]], untyped_coroutine)
synchronized = cast(Callable[[str], Callable[[Act], Act]], untyped_synchronized)
