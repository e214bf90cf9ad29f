"""The options: defaults, what is one program's own, and each line that an operator may be shown."""

from __future__ import annotations

import pytest

from unicorn_handover.model.options import Options, names_in, parse

SECTION = "rpcinterface:unicorn"


def lines(raw: dict[str, str]) -> list[str]:
    """The error lines of a section that manages web and api."""
    return [str(error) for error in parse(SECTION, {"programs": "web api", **raw}).errors]


def test_defaults() -> None:
    """Without any option each program has the documented defaults."""
    settings = parse(SECTION, {"programs": "web"})
    assert settings.programs == {
        "web": Options("auto", "auto", 120.0, 0.0, "auto", "", "", "", "200-399", 60.0, "")
    }
    assert settings.max_handovers == 0 and settings.errors == [] and settings.refusals == {}


def test_one_program_s_own_options() -> None:
    """`web.soak` is for web alone, and goes before `soak`, wherever it stands."""
    raw = {"web.soak": "5", "soak": " 2 ", "programs": "web, api x:y", "x:y.server": "gunicorn"}
    programs = parse(SECTION, raw).programs
    assert [(name, o.soak) for name, o in programs.items()] == [("web", 5), ("api", 2), ("x:y", 2)]
    assert programs["x:y"].server == "gunicorn" and programs["web"].server == "auto"


def test_a_program_with_a_dot_in_its_name() -> None:
    """The option is what follows the last dot."""
    settings = parse(SECTION, {"programs": "a.b", "a.b.soak": "1"})
    assert settings.programs["a.b"].soak == 1 and settings.errors == []


@pytest.mark.parametrize(
    ("key", "value", "attribute", "read"),
    [
        ("boot_timeout", "1", "boot_timeout", 1.0),
        ("boot_timeout", "86400", "boot_timeout", 86400.0),
        ("soak", "0", "soak", 0.0),
        ("soak", "0.5", "soak", 0.5),
        ("drain_timeout", "1e2", "drain_timeout", 100.0),
        ("server", "unicorn", "server", "unicorn"),
        ("pidfile", "/run/a b.pid", "pidfile", "/run/a b.pid"),
        ("pidfile", "", "pidfile", ""),
        ("quiesce", "no", "quiesce", "no"),
        ("method", "spawn", "method", "spawn"),
        ("check", "", "check", ""),
        ("check", "http://127.0.0.1:80/up?x=1", "check", "http://127.0.0.1:80/up?x=1"),
        ("check", "http://[::1]:80", "check", "http://[::1]:80"),
        ("check", "http://[fe80::1%lo]/", "check", "http://[fe80::1%lo]/"),
        ("check", "http://web-1.example.:1/", "check", "http://web-1.example.:1/"),
        ("check", "unix:/run/web.sock:/up", "check", "unix:/run/web.sock:/up"),
        ("check_host", "", "check_host", ""),
        ("check_host", "www.example.org:8080", "check_host", "www.example.org:8080"),
        ("check_host", "[::1]", "check_host", "[::1]"),
        ("check_headers", "", "check_headers", ""),
        ("check_headers", "X-A:b,X-C: d", "check_headers", "X-A:b,X-C: d"),
        ("check_headers", '"X-A: b c"', "check_headers", "X-A: b c"),
        ("check_headers", "X-A: b,c\nX-D: e", "check_headers", "X-A: b,c\nX-D: e"),
        ("check_status", "200", "check_status", "200"),
        ("check_status", "200, 301-302", "check_status", "200, 301-302"),
        ("check", f"unix:/{'x' * 106}:/", "check", f"unix:/{'x' * 106}:/"),
    ],
)
def test_good_values(key: str, value: str, attribute: str, read: object) -> None:
    """Values at the edges of what is allowed are taken."""
    settings = parse(SECTION, {"programs": "web", key: value})
    assert settings.errors == [] and getattr(settings.programs["web"], attribute) == read


SECONDS = "write it without a unit"
ADDRESS = "write http://host:port/path or unix:/path.sock:/path"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("boot_timeout", "0", f"must be a number of seconds from 1 to 86400, not '0'; {SECONDS}"),
        ("boot_timeout", "5s", f"must be a number of seconds from 1 to 86400, not '5s'; {SECONDS}"),
        ("web.soak", "-1", f"must be a number of seconds from 0 to 86400, not '-1'; {SECONDS}"),
        ("soak", "nan", f"must be a number of seconds from 0 to 86400, not 'nan'; {SECONDS}"),
        ("soak", "inf", f"must be a number of seconds from 0 to 86400, not 'inf'; {SECONDS}"),
        ("soak", "", f"must be a number of seconds from 0 to 86400, not ''; {SECONDS}"),
        (
            "drain_timeout",
            "86401",
            f"must be a number of seconds from 1 to 86400, not '86401'; {SECONDS}",
        ),
        (
            "server",
            "apache",
            "must be auto, unicorn, gunicorn or nginx, not 'apache'; auto reads the running master",
        ),
        (
            "server",
            "puma",
            "must be auto, unicorn, gunicorn or nginx, not 'puma'; auto reads the running master",
        ),
        (
            "check_host",
            "http://a",
            "must be a host as a browser names it, not 'http://a'; write it as example.org:80",
        ),
        (
            "check_host",
            "a b",
            "must be a host as a browser names it, not 'a b'; write it as example.org:80",
        ),
        (
            "check_host",
            "a/b",
            "must be a host as a browser names it, not 'a/b'; write it as example.org:80",
        ),
        (
            "check_host",
            "a:0",
            "must be a host as a browser names it, not 'a:0'; write it as example.org:80",
        ),
        ("check_headers", "X", "must be request headers, not 'X'; write NAME:VALUE,NAME:VALUE"),
        (
            "check_headers",
            "X-A: é",
            "must be request headers, not 'X-A: \\xe9'; write NAME:VALUE,NAME:VALUE",
        ),
        (
            "check_status",
            "",
            "must be HTTP statuses from 100 to 599, not ''; write 200 or 200,301-302",
        ),
        (
            "check_status",
            "2xx",
            "must be HTTP statuses from 100 to 599, not '2xx'; write 200 or 200,301-302",
        ),
        (
            "check_status",
            "99",
            "must be HTTP statuses from 100 to 599, not '99'; write 200 or 200,301-302",
        ),
        (
            "check_status",
            "399-200",
            "must be HTTP statuses from 100 to 599, not '399-200'; write 200 or 200,301-302",
        ),
        ("check_headers", "Host: a", "must not name the host, not 'Host: a'; set check_host"),
        (
            "check_headers",
            "connection:x",
            "must not set connection, not 'connection:x'; leave it out; the check sends one GET",
        ),
        (
            "method",
            "exec",
            "must be auto, usr2 or spawn, not 'exec'; "
            "auto re-executes the master where that can do",
        ),
        (
            "quiesce",
            "true",
            "must be auto, yes or no, not 'true'; "
            "auto stops workers that can come back as they were",
        ),
        ("check", "https://x/", f"must be an address to ask, not 'https://x/'; {ADDRESS}"),
        ("check", "unix:sock:/up", f"must be an address to ask, not 'unix:sock:/up'; {ADDRESS}"),
        ("check", "http://x/a b", f"must be an address to ask, not 'http://x/a b'; {ADDRESS}"),
        *(
            ("check", value, f"must be an address to ask, not {value!r}; {ADDRESS}")
            for value in (
                *("http://h:abc/", "http://h:0/", "http://h:65536/", "http://:80/", "http://a..b/"),
                *("http://[::1/", "http://[::x]/", "http://[]/", "http://user:pw@h/", "http://h?x"),
                *("http://h/#f", "http://h#f", "unix:/s:/#f"),
            )
        ),
        (
            "check",
            "http://h\xe9/",
            f"must be an address to ask, not 'http://h\\xe9/'; {ADDRESS}",
        ),
        (
            "check",
            "unix:/s:/\xe9",
            f"must be an address to ask, not 'unix:/s:/\\xe9'; {ADDRESS}",
        ),
        ("pidfile", "web.pid", "must be an absolute path, not 'web.pid'; start it with /"),
        ("max_handovers", "-1", "must be a whole number, not '-1'; 0 means no limit"),
        ("max_handovers", "٣", "must be a whole number, not '\\u0663'; 0 means no limit"),
        ("max_handovers", "9" * 10, f"must be a whole number, not '{'9' * 10}'; 0 means no limit"),
        ("other.soak", "1", "other is not in `programs`; add it there"),
    ],
)
def test_each_bad_value_is_one_line(key: str, value: str, line: str) -> None:
    """The line names the section, the key as it is spelt, what is wrong and the fix."""
    found = lines({key: value})
    assert len(found) == 1 and found[0].startswith(f"[{SECTION}] {key}: ")
    assert found[0].replace("\\\\", "\\") == f"[{SECTION}] {key}: {line}"


@pytest.mark.parametrize("key", ["sock", "web.sock", "boot-timeout", "programs.soak2"])
def test_an_unknown_option_is_told_all_that_there_are(key: str) -> None:
    """A typing error in a name is an error, not ignored."""
    (line,) = lines({key: "1"})
    assert line.startswith(f"[{SECTION}] {key}: ")
    if not key.startswith("programs."):
        known = "server, method, boot_timeout, soak, quiesce, check, check_host, check_headers, "
        known += "check_status, drain_timeout, pidfile, hold, hold_stop, survive, own_reader"
        known += "" if "." in key else ", max_handovers, state"
        assert line.endswith(f"unknown option; the options are {known}")


def test_a_shared_pid_file() -> None:
    """Two programs with one pid file are both refused, a third one is not."""
    raw = {"programs": "a b c", "a.pidfile": "/p", "b.pidfile": "/p", "c.pidfile": "/q"}
    settings = parse(SECTION, raw)
    assert [str(error) for error in settings.errors] == [
        f"[{SECTION}] pidfile: a and b share /p; give each program a pid file of its own"
    ]
    assert set(settings.refusals) == {"a", "b"}


def test_no_programs() -> None:
    """An empty list is an error that names the host's word for it."""
    for raw in ({}, {"watchers": ""}, {"watchers": " , "}):
        settings = parse("plugin:unicorn", raw, "watchers")
        assert [str(error) for error in settings.errors] == [
            "[plugin:unicorn] watchers: names nothing; list the programs to manage"
        ]
        assert settings.programs == {}


def test_an_error_refuses_the_programs_that_it_concerns() -> None:
    """A typing error does not turn a handover into a plain restart, nor concern other programs."""
    settings = parse(SECTION, {"programs": "web api", "web.soak": "x", "drain_timeout": "9"})
    assert set(settings.refusals) == {"web"} and settings.programs["web"].soak == 0
    assert set(parse(SECTION, {"programs": "web api", "soak": "x"}).refusals) == {"web", "api"}
    assert set(parse(SECTION, {"programs": "web api", "max_handovers": "x"}).refusals) == {
        "web",
        "api",
    }


def test_hostile_values_are_shown_harmlessly() -> None:
    """Escapes and long values are escaped and cut, on one line."""
    (line,) = lines({"web.server": "\x1b[2J\n" + "x" * 500})
    assert "\x1b" not in line and "\n" not in line and len(line) < 300


def test_names() -> None:
    """Names are split at spaces, commas and line ends; doubles count once."""
    assert names_in(" a,b\n c a ") == ["a", "b", "c"]
    assert names_in("web, api,") == ["web", "api"]
    assert names_in("") == names_in(",") == names_in("  \n") == []


def test_a_program_of_a_group_goes_by_its_own_name() -> None:
    """Supervisor takes the colon of GROUP:NAME for the end of a key."""
    raw = {"programs": "a:web b:web web api", "web.soak": "5"}
    assert [options.soak for options in parse(SECTION, raw).programs.values()] == [0, 0, 5, 0]
    settings = parse(SECTION, {"programs": "a:web b:web api", "web.soak": "5"})
    assert [options.soak for options in settings.programs.values()] == [5, 5, 0]
    assert settings.errors == []


def test_a_socket_path_that_the_kernel_does_not_take() -> None:
    """It is told at the start, not when the first question fails."""
    (line,) = lines({"check": f"unix:/{'x' * 107}:/"})
    assert "must name a socket by at most 107 bytes" in line and len(line) < 300


@pytest.mark.parametrize("key", ["shop", "web"])
def test_the_option_of_a_group_s_program_cut_at_its_colon(key: str) -> None:
    """Supervisor reads GROUP:NAME.OPTION so; the line says how to write it."""
    assert lines({key: "web.soak = 5"}) == [
        f"[{SECTION}] {key}: a key ends at a colon; write web.soak"
    ]
