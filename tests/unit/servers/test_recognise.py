"""Which server a process is, and what it shows of itself."""

from __future__ import annotations

from signal import SIGTTOU, SIGWINCH, Signals

import pytest

from unicorn_handover.servers import is_forked, recognise

from ..fake_system import FakeSystem
from ..masters import GUNICORN, UNICORN, add


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("ruby|/usr/bin/unicorn|-c|u.rb", "unicorn"),
        ("/usr/bin/ruby3.1|bin/unicorn_rails|-E|x", "unicorn"),
        ("unicorn master -D -c /srv/u.rb", "unicorn"),
        ("unicorn_rails master (old) -c u.rb", "unicorn"),
        ("python3|/venv/bin/gunicorn|app:a", "gunicorn"),
        ("python3|-m|gunicorn|app:a", "gunicorn"),
        ("python3|/venv/lib/python3.11/site-packages/gunicorn/__main__.py|app:a", "gunicorn"),
        ("gunicorn: master [app:a]", "gunicorn"),
        ("nginx: master process nginx", "nginx"),
        ("nginx: master process nginx -c /etc/nginx/gunicorn.conf -g daemon off;", "nginx"),
        ("/usr/sbin/nginx|-g|daemon off;|-c|/srv/unicorn", "nginx"),
        ("nginx: worker process", None),
        ("nginx: cache manager process", None),
        ("vi|/etc/nginx/nginx.conf", None),
        ("/bin/sh|-c|cd x; unicorn -c u.rb", None),
        ("ruby|/usr/bin/puma", None),
        ("vi|/etc/unicorn.rb", None),
        ("python3|/srv/gunicorn/manage.py", None),
        ("", None),
    ],
)
def test_recognise(words: str, name: str | None) -> None:
    """A server is known by its command line, before and after it writes its title."""
    server = recognise(words.split("|"))
    assert (server.name if server else None) == name


def test_signals() -> None:
    """What is graceful for one server cuts requests on the other."""
    assert (UNICORN.graceful, UNICORN.quick) == (Signals.SIGQUIT, Signals.SIGTERM)
    assert (GUNICORN.graceful, GUNICORN.quick) == (Signals.SIGTERM, Signals.SIGQUIT)
    assert UNICORN.quiesce is SIGWINCH and GUNICORN.quiesce is None


def test_is_forked(system: FakeSystem) -> None:
    """A forked process, or an exec'd one that unicorn made a worker."""
    assert is_forked(system, add(system, forked=True).pid)
    assert is_forked(system, add(system, environ={"UNICORN_WORKER": "0"}).pid)
    assert not is_forked(system, add(system).pid) and not is_forked(system, 4711)


def test_all_forked(system: FakeSystem) -> None:
    """unicorn writes its title when it has forked all workers; gunicorn shows nothing."""
    starting = add(system, "/usr/bin/ruby|/usr/bin/unicorn|-c|u")
    serving = add(system, "unicorn master -c u")
    assert UNICORN.all_forked(system, starting.pid) is False
    assert UNICORN.all_forked(system, serving.pid) is True
    own = add(system, "shop", catches={SIGTTOU})
    assert UNICORN.all_forked(system, own.pid) is None
    assert UNICORN.accepts_signals(system, own.pid)
    assert not UNICORN.accepts_signals(system, starting.pid)
    assert GUNICORN.all_forked(system, serving.pid) is None
