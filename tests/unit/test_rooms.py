"""The packages' rooms: which module may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "unicorn_handover"
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*unicorn*/__init__.py"))
BELOW = {  # what each room may import, besides itself and `errors`, `progress` and the version
    "kernel": set(),
    "servers": {"kernel"},
    "model": {"kernel", "servers"},
    "family": {"kernel", "servers", "model"},
    "host": {"kernel", "servers", "family", "model"},
    "driver": {"kernel", "servers", "family", "model"},
}

IN_KERNEL = {  # what asks the kernel of processes and files, or acts on them
    *(f"os.{name}" for name in ("waitpid", "wait", "wait3", "wait4", "waitid", "kill", "killpg")),
    *(f"os.{name}" for name in ("access", "stat", "lstat", "listdir", "scandir", "readlink")),
    *(f"os.{name}" for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "pidfd_open")),
    *(f"os.path.{name}" for name in ("exists", "lexists", "isdir", "isfile", "islink")),
    *(f"os.path.{name}" for name in ("realpath", "samefile", "getmtime", "getsize")),
    *("signal.pidfd_send_signal", "shutil.which", "select.", "fcntl.", "ctypes."),
}
EXCEPTED = {
    "supervisor_unicorn/child.py": {"fcntl.fcntl"},  # in Supervisor's fork, before its exec
    "foreground_unicorn/run.py": {"os.kill"},  # the runner itself, as its master has ended
    "supervisor_unicorn/confecho.py": {"shutil.which"},  # an operator's command, and no host
}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, also in a type-only or a lazy one."""
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda p: p.name)
def test_the_engine_knows_no_host(path: Path) -> None:
    """No module of the engine imports a supervisor, or a package that is made for one."""
    hosts = {"supervisor", "circus", "supervisor_unicorn", "circus_unicorn", "foreground_unicorn"}
    assert not {name.partition(".")[0] for name in imports(path)} & hosts


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_what_is_below_it(room: str) -> None:
    """kernel <- servers <- family <- host | driver; `host` and `driver` never meet."""
    for path in (ENGINE / room).glob("*.py"):
        ours = [n.split(".")[1] for n in imports(path) if n.startswith("unicorn_handover.")]
        rooms = {name for name in ours if (ENGINE / name).is_dir()}
        assert rooms <= BELOW[room] | {room}, path.name


@pytest.mark.parametrize(
    ("loaded", "absent"),
    [("unicorn_handover.host.side", "driver"), ("unicorn_handover.driver.loop", "host")],
)
def test_neither_wing_loads_the_other(loaded: str, absent: str) -> None:
    """A host carries what adopts and no driver; the driver carries itself alone."""
    script = f"import {loaded}, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not [name for name in modules if name.startswith(f"unicorn_handover.{absent}.")]


def test_supervisor_s_driver_loads_no_supervisor() -> None:
    """The event listener carries neither the web page nor supervisorctl's plugin all its life."""
    script = "import supervisor_unicorn.eventlistener, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    ours = {name for name in modules if name.startswith("supervisor")}
    assert ours == {"supervisor_unicorn", "supervisor_unicorn.eventlistener"}


def calls(path: Path) -> set[str]:
    """Every function that a file calls by its module's name, and each that it imports alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_only_kernel_asks_the_kernel(package: str) -> None:
    """What the tests' made-up kernel cannot answer is asked nowhere but in `kernel`."""
    for path in (ROOT / package).rglob("*.py"):
        name = str(path.relative_to(ROOT))
        asked = {c for c in calls(path) if c in IN_KERNEL or f"{c.split('.')[0]}." in IN_KERNEL}
        if ENGINE / "kernel" not in path.parents:
            assert asked == EXCEPTED.get(name, set()), name


def cycle_from(start: str, arrows: dict[str, set[str]]) -> bool:
    """True if a walk along the arrows leads from a module back to itself."""
    seen: set[str] = set()
    todo = list(arrows[start])
    while todo:
        name = todo.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            todo += arrows.get(name, ())
    return False


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle(package: str) -> None:
    """No module of a package imports itself by way of others, not even for its types."""
    names = {}
    for path in (ROOT / package).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    arrows = {}
    for name, path in names.items():
        found = {n if n in names else n.rpartition(".")[0] for n in imports(path)}
        arrows[name] = {n for n in found if n in names and n != name}
    # A package's face names its modules, lazily; that a module asks it for another is no circle.
    arrows[package] = set()
    assert not [name for name in arrows if cycle_from(name, arrows)]
