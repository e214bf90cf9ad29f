"""The one door between a host and this package: no error of ours passes it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ..errors import raised

Act = TypeVar("Act", bound=Callable[..., Any])


def contained(default: Any = None) -> Callable[[Act], Act]:
    """Make a method return `default` where it raises, and log that by its object's `failed`."""

    def contain(act: Act) -> Act:
        @functools.wraps(act)
        def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
            try:
                return act(self, *arguments, **keywords)
            except Exception as error:
                self.failed(f"{act.__qualname__} failed: {raised(error)}")
                return default

        return cast(Act, call)

    return contain
