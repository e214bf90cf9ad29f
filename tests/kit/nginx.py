"""An nginx as a program under test: its release is what its configuration answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .programs import Program, deploy_file

NGINX = "/usr/sbin/nginx"

_CONF = """\
user root;
worker_processes {workers};
pid {pid};
error_log stderr notice;
{wrong}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {listen};
    location / {{ {location} }}
  }}
}}
"""


@dataclass
class Nginx(Program):
    """One nginx; `behind` is a program that it passes all requests on to."""

    server: str = "nginx"
    behind: Program | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.command = self.command or f"{NGINX} -c {self.conf} -g 'daemon off;'"

    @property
    def stopsignal(self) -> str:
        return "QUIT"

    def write(self, release: str, *kinds: str) -> None:
        """Put a configuration on the disk. wrong: one that nginx refuses; sick: answers 500."""
        self.conf = self.folder / "nginx.conf"
        status = 500 if "sick" in kinds else 200
        location = f'default_type text/plain; return {status} "{release} worker=$pid";'
        if self.behind:
            location = f"proxy_pass http://unix:{self.behind.address}:$request_uri;"
        deploy_file(
            self.conf,
            _CONF.format(
                workers=self.workers,
                pid=self.pid_path,
                folder=self.folder,
                listen=f"unix:{self.address}" if self.unix else f"127.0.0.1:{self.port}",
                location=location,
                wrong="no_such_directive on;" if "wrong" in kinds else "",
            ),
        )

    def has_loaded(self, *pids: int) -> bool:
        """True if one of these shows that it serves."""
        lines = (Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
        return any(line.rstrip(b"\0") == b"nginx: worker process" for line in lines)
