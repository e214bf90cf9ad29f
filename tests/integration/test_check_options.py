"""What the check sends and accepts, against a Django that is set up as for production."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..kit.host import Host
from ..kit.programs import Program
from .conftest import MakeHost

# The program's own app answers all but /up, which is Django's, behind a proxy that speaks TLS.
DJANGO = """
plain = application
import django.conf, django.core.wsgi, django.http, django.urls
urlpatterns = [django.urls.path("up", lambda request: django.http.HttpResponse("up"))]
django.conf.settings.configure(
    ALLOWED_HOSTS=["example.org"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.middleware.common.CommonMiddleware"],
    SECURE_SSL_REDIRECT=True,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
)
site = django.core.wsgi.get_wsgi_application()
def application(environ, start_response):
    return (site if environ["PATH_INFO"] == "/up" else plain)(environ, start_response)
"""
OPTIONS = {
    "bare": {},
    "named": {"check_host": "example.org"},
    "strict": {"check_host": "example.org", "check_status": "200"},
    "proxied": {
        "check_host": "example.org",
        "check_status": "200",
        "check_headers": '"X-Forwarded-Proto: https"',  # Circus needs the quotes for the space
    },
}
REDIRECT = "answered 301 to https://example.org/up"


@pytest.mark.parametrize("host_class", ["supervisor", "circus"], indirect=True)
def test_django_behind_a_proxy(make_host: MakeHost, folder: Path) -> None:
    """It answers 400 to a host that it does not know, and sends others to https, which is told."""
    programs = [Program(folder, name, "gunicorn", workers=1) for name in OPTIONS]
    options = {f"{p.name}.check": f"http://127.0.0.1:{p.port}/up" for p in programs}
    for name, own in OPTIONS.items():
        options |= {f"{name}.{key}": value for key, value in own.items()}
    for program in programs:
        _with_django(program, "v1")
    host = make_host(*programs, options=options)
    host.start()
    assert "answered 400" in _restarted(host, "bare", good=False)
    named = _restarted(host, "named", good=True)
    assert REDIRECT in str(host.ended("named")[-1]["answer"]) and REDIRECT in host.host_log()
    assert REDIRECT in named or host.name == "circus"  # circusctl says "ok" and no more
    assert REDIRECT in _restarted(host, "strict", good=False)
    _restarted(host, "proxied", good=True)
    assert host.ended("proxied")[-1]["answer"] == ""


def _with_django(program: Program, release: str) -> None:
    program.write(release)
    app = program.folder / "app.py"
    app.write_text(app.read_text() + DJANGO)


def _restarted(host: Host, name: str, good: bool) -> str:
    """What restart tells of another release."""
    _with_django(host.programs[name], "v2")
    outcome = host.restart(name)
    assert outcome.ok is good, outcome.text
    return outcome.text
