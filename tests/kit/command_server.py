"""Runs each command that `commands` asks for in a child, which has its modules already.

All else of the command is its own: its script, arguments, environment, directory and output.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback

LOADED = (
    "supervisor.supervisorctl",
    "supervisor_unicorn.ctlplugin",
    "circus.circusctl",
    "circus_unicorn.command",
    "foreground_unicorn.__main__",
)
LONGEST = 1 << 17  # bytes of a command line and its environment


def serve(client: socket.socket) -> None:
    """Run what the client asks for, until it has gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that nobody has to reap
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # or a child's collection would touch, and so copy, all that is loaded
    while True:
        asked, descriptors, *_ = socket.recv_fds(client, LONGEST, 2)
        if not asked:
            return
        if os.fork() == 0:
            client.close()
            become(*json.loads(asked), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def become(
    words: list[str], directory: str, environ: dict[str, str], output: int, status: int
) -> None:
    """Be the command, to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.argv = words
    code = exit_status(words[0])
    sys.stdout.flush()
    os.write(status, str(code).encode())
    os._exit(code)


def exit_status(script: str) -> int:
    """Run a script, and return what its process would end with."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel)
