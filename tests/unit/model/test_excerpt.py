"""The lines that tell why a release failed, out of all that was written meanwhile."""

from __future__ import annotations

import json

import pytest

from unicorn_handover.host.output import Output
from unicorn_handover.model.excerpt import LINES, TAIL, Tail, cause, excerpt, most_informative

OLD = (10, 11)  # the old master and its worker
CLF = '127.0.0.1 - - [26/Nov/2026:13:10:05 +0000] "GET / HTTP/1.1" 200 3'
ACCESS = {
    "common": CLF,
    "combined": f'{CLF} "-" "curl/8"',
    "rack": f"{CLF} 0.0012",
    "uvicorn": 'INFO:     127.0.0.1:5000 - "POST /x HTTP/1.1" 302 Found',
    "rails": 'I, [2026-01-01T00:00:00.1 #11]  INFO -- : [a-b] Started GET "/" for ::1',
    "rails, plain": "Completed 200 OK in 5ms (Views: 1.0ms)",
    "lograge": "method=GET path=/ format=html controller=Home action=index status=200 duration=1.0",
    "json": json.dumps({"path": "/", "method": "GET", "status": 200, "ms": 1.5}),
    "json, nested": json.dumps({"http": {"request_method": "GET", "status_code": 500}}),
}
PYTHON = """\
[2026-01-01 00:00:00 +0000] [20] [INFO] Booting worker with pid: 20
[2026-01-01 00:00:00 +0000] [20] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/srv/web/app.py", line 5, in <module>
    load()
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
json.decoder.JSONDecodeError: Expecting property name

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/gunicorn/util.py", line 420, in import_app
    mod = importlib.import_module(module)
  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import
  File "/srv/web/settings.py", line 7, in <module>
    raise RuntimeError("DATABASE_URL is not set") from e
RuntimeError: DATABASE_URL is not set
[2026-01-01 00:00:00 +0000] [9] [ERROR] Reason: Worker failed to boot.
"""
PYTHON_EXCERPT = (
    "[2026-01-01 00:00:00 +0000] [20] [ERROR] Exception in worker process",
    'File "/srv/web/app.py", line 5, in <module>',
    "json.decoder.JSONDecodeError: Expecting property name",
    'File "/srv/web/settings.py", line 7, in <module>',
    "RuntimeError: DATABASE_URL is not set",
    "[2026-01-01 00:00:00 +0000] [9] [ERROR] Reason: Worker failed to boot.",
)
RUBY = """\
I, [2026-01-01T00:00:00.1 #20]  INFO -- : Refreshing Gem list
<internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require': cannot \
load such file -- nosuchgem (LoadError)
\tfrom <internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require'
\tfrom /srv/web/lib/db.rb:2:in `connect'
\tfrom config.ru:2:in 'block in <main>'
\tfrom /usr/bin/unicorn:128:in `<main>'
"""
RUBY_EXCERPT = (
    "<internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require': "
    "cannot load such file -- nosuchgem (LoadError)",
    "from /srv/web/lib/db.rb:2:in `connect'",
)
LOGGED = """\
E, [2026-01-01T00:00:00.1 #20] ERROR -- : key not found: DATABASE_URL
second line of it (KeyError)
/srv/web/lib/env.rb:1:in `fetch'
config.ru:3:in `block in <main>'
/usr/share/rubygems-integration/all/gems/rack-2.2.22/lib/rack/builder.rb:125:in `initialize'
E, [2026-01-01T00:00:00.1 #19] ERROR -- : reaped #<Process::Status: pid 20 exit 1> worker=0
"""
LOGGED_EXCERPT = (*LOGGED.splitlines()[:3], LOGGED.splitlines()[-1])


def among(lines: str, access: str) -> str:
    """What was written while old workers answered requests."""
    return "".join(f"{line}\n{access}\n{access}\n" for line in lines.splitlines())


@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
@pytest.mark.parametrize(
    ("written", "shown"),
    [(PYTHON, PYTHON_EXCERPT), (RUBY, RUBY_EXCERPT), (LOGGED, LOGGED_EXCERPT)],
    ids=["python", "ruby", "ruby, logged"],
)
def test_the_cause_is_found_among_answered_requests(
    written: str, shown: tuple[str, ...], access: str
) -> None:
    """Each back trace is its message and the frame of the application's own that is nearest."""
    assert excerpt(among(written, access), OLD) == shown


def test_what_serves_on_is_left_out() -> None:
    """Neither the old master's lines nor those of its workers are shown."""
    text = """\
I, [2026-01-01T00:00:00 #10]  INFO -- : old
E, [2026-01-01T00:00:00 #11] ERROR -- : old worker
[2026-01-01 00:00:00 +0000] [11] [ERROR] old worker
I, [2026-01-01T00:00:00 #20]  INFO -- : new
"""
    assert excerpt(text, OLD) == ("I, [2026-01-01T00:00:00 #20]  INFO -- : new",)


def test_our_own_lines_are_left_out() -> None:
    """In the foreground they are among the program's."""
    text = "unicorn-handover: handover 2 of web: booting (pid 10 -> 20)\nsettings are missing"
    assert excerpt(text, OLD) == ("settings are missing",)


def test_workers_that_die_again_and_again_are_told_of_once() -> None:
    """They write the same with other pids and times, and must not push the cause out."""
    loop = [LOGGED.replace("#20]", f"#{pid}]").replace("pid 20", f"pid {pid}") for pid in (31, 32)]
    assert excerpt(LOGGED + "".join(loop), OLD) == LOGGED_EXCERPT


def test_a_cause_that_is_no_error_to_look_at() -> None:
    """An application that prints a line and exits is shown whole."""
    text = "settings: no DATABASE_URL\n[2026-01-01 00:00:00 +0000] [9] [ERROR] Worker exited"
    assert excerpt(text, OLD) == tuple(text.splitlines())


def test_errors_go_before_what_is_merely_written() -> None:
    """If there is too much, an error and what follows it are shown, and not what came last."""
    chat = [f"served {letter}" for letter in "abcdefghijklmnopq"]
    shown = excerpt("\n".join([*chat, "ValueError: broken", "hint: mend it", *chat[::-1]]), OLD)
    assert "ValueError: broken" in shown and "hint: mend it" in shown
    assert len(shown) < LINES and "served a" not in shown


def test_routine_is_shown_if_there_is_nothing_else() -> None:
    """A release that hangs has written what every release writes."""
    routine = "[2026-01-01 00:00:00 +0000] [20] [INFO] Booting"
    assert excerpt(routine, OLD) == (routine,)
    assert excerpt(f"{routine}\nit waits", OLD) == ("it waits",)
    assert excerpt(f"{CLF}\n", OLD) == ()


def test_the_settings_of_a_gunicorn_are_routine() -> None:
    """With --log-level debug it writes all of them, and some are called `errorlog` and the like."""
    head = "[2026-01-01 00:00:00 +0000] [20] [DEBUG] Current configuration:"
    names = ("errorlog", "worker_abort", "capture_output")
    settings = [f"  {name}: <function at 0x7f>" for name in names]
    assert excerpt("\n".join([head, *settings, "Error: no database"]), OLD) == (
        "Error: no database",
    )


INFO = [
    "I, [2026-01-01T00:00:00.1 #20]  INFO -- : worker=0 ready",
    "[2026-01-01 00:00:00 +0000] [20] [INFO] Booting worker with pid: 20",
    "2026/01/01 00:00:00 [notice] 20#20: start worker process 20",
]


@pytest.mark.parametrize("routine", INFO, ids=["unicorn", "gunicorn", "nginx"])
@pytest.mark.parametrize("reason", ["the check failed: 500", "rolled back by command"])
def test_routine_is_no_cause_of_a_bad_answer(reason: str, routine: str) -> None:
    """The check's own reason says all; what an application wrote without a level is kept."""
    wrote = excerpt(f"{routine}\n{CLF}\n", OLD)
    assert cause(reason, [wrote, ()], lambda: "elsewhere") == ()
    assert cause("the new master ended", [wrote], lambda: "elsewhere") == (routine,)
    assert cause("the new master ended", [()], lambda: "elsewhere") == ("elsewhere",)
    for said in ("no such table: users", PYTHON, LOGGED):
        bare = excerpt(f"{routine}\n{said}\n", OLD)
        assert cause(reason, [wrote, bare], lambda: "") == bare and routine not in bare


def test_an_excerpt_is_bounded_and_safe() -> None:
    """The last lines only, without colours, escaped, each of them cut."""
    lines = excerpt("\n".join(f"{'x' * n} \x1b[31mred\x1b[0m \x1b[2J" for n in range(500)), OLD)
    assert len(lines) == LINES and len(lines[-1]) == 400 and "\x1b" not in "".join(lines)
    assert excerpt("\x1b[31mred\x1b[0m \x1b[2J", OLD) == ("red \\x1b[2J",)


def test_a_back_trace_in_an_object_of_json() -> None:
    """Its lines are looked through as if they had been written plainly, however many they are."""
    entry = {"level": "error", "exc": {"text": PYTHON.replace("load()", "load()" + "x" * 9000)}}
    assert excerpt(json.dumps(entry), OLD) == PYTHON_EXCERPT
    assert excerpt('{"error": "a\\nb"', OLD) == ('{"error": "a\\\\nb"',)
    assert excerpt('{"error": "a\\n"}', OLD) == ('{"error": "a\\\\n"}',)


def test_an_error_at_the_end_of_a_long_line() -> None:
    """It is shown, and not the beginning alone."""
    (line,) = excerpt("x" * 3000 + " KeyError: DATABASE_URL", OLD)
    assert line.startswith("...xxx") and line.endswith(" KeyError: DATABASE_URL")


def test_a_tail_keeps_what_tells() -> None:
    """However many requests are answered after the error, it is kept, in bounded memory."""
    tail = Tail()
    tail.add(b"ValueError: broken\n")
    for _ in range(2000):
        tail.add(f"{CLF}\n".encode() * 20)  # 2.7 MB in all
        assert len(tail.text) <= 2 * TAIL + 2000
    assert tail.text.startswith("ValueError: broken\n")


def test_a_tail_that_is_cut_is_the_end() -> None:
    """What is no access line is kept as far as there is room: its last bytes."""
    tail = Tail()
    for n in range(50_000):
        tail.add(b"%d\n" % n)
    assert tail.text.endswith("\n49999\n") and len(tail.text) <= 2 * TAIL


def test_a_long_log_is_searched_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed release may leave nobody serving, and its old workers wait for what is read here."""
    searched: list[str] = []
    monkeypatch.setattr("unicorn_handover.model.excerpt._is_access", searched.append)
    line, tail = b"I, [#11] INFO -- : %s\n" % (b"x" * 80), Tail()
    tail.add(line * (1 << 16))
    assert len(searched) <= TAIL // len(line) + 1 and tail.text.count("\n") == TAIL // len(line)


def test_most_informative() -> None:
    """An excerpt with an error is better than an earlier one without; any is better than none."""
    assert most_informative([(), ("hello",), ("ValueError: x",)]) == ("ValueError: x",)
    assert most_informative([(), ("hello",), ("world",)]) == ("hello",)
    assert most_informative([(), ()]) == most_informative([]) == ()


def test_a_host_listens_only_while_a_handover_runs() -> None:
    """Nothing is kept before, and nothing after; each channel is told apart."""
    output = Output()
    output.add("stdout", b"before\n")
    assert output.excerpts(OLD) == []
    output.begin()
    output.add("stdout", b"out\n")
    output.add("stderr", b"err\n")
    assert output.excerpts(OLD) == [("err",), ("out",)]
    output.end()
    output.add("stdout", b"after\n")
    assert output.excerpts(OLD) == []


def test_a_tail_begins_with_a_whole_line() -> None:
    """The rest of a line that was cut would be shown as if it were one."""
    tail, line = Tail(), b"worker=0 exploded: Status 3\n"
    for _ in range(3 * TAIL // len(line)):
        tail.add(line)
    assert set(tail.text.splitlines()) == {"worker=0 exploded: Status 3"}
