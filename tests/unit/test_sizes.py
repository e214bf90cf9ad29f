"""How large a thing of ours may become: a file, a class, a function."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_rooms import PACKAGES, ROOT

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
LONGEST = 310  # lines of a file
LONGEST_TEST = 300  # lines of a file of the tests
LARGEST = 20  # methods of a class


def classes(package: str) -> Iterator[type]:
    """Every class that a package defines."""
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name.replace(".__init__", ""))
        for each in vars(module).values():
            if inspect.isclass(each) and each.__module__ == module.__name__:
                yield each


def own_methods(each: type) -> list[str]:
    """What a class defines that no foreign base does: what it overrides there is that one's."""
    foreign = [base for base in each.__mro__[1:] if base.__module__.split(".")[0] not in PACKAGES]
    return [
        name
        for name, value in vars(each).items()
        if (inspect.isroutine(value) or isinstance(value, property))
        and not any(hasattr(base, name) for base in foreign if base is not object)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea(path: Path) -> None:
    """It is not long, and no class in it has banners: those mark a class that wants out."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert not re.search(r"^ +# --", text, re.MULTILINE)


def test_a_file_of_the_tests_is_one_subject() -> None:
    """One that becomes long is cut by what it guards; what both parts need goes beside them."""
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / "tests").rglob("*.py")
    }
    assert {name: lines for name, lines in sizes.items() if lines > LONGEST_TEST} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_class_is_small(package: str) -> None:
    """What a class of the host's has to be told anew is not counted."""
    sizes = {each.__name__: len(own_methods(each)) for each in classes(package)}
    assert {name: n for name, n in sizes.items() if n > LARGEST} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    """Half of them have at most eight lines, docstring and all."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py")]
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    assert statistics.median((n.end_lineno or 0) - n.lineno + 1 for n in functions) <= 8
