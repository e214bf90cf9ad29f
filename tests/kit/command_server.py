"""Runs each command that `commands` asks for in a child, which has its modules already.

All else of the command is its own: its script, arguments, environment, directory and output. So it
is for a daemon, which has a session of its own as well.
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
    "supervisor.supervisord",
    "supervisor.http",
    "supervisor_unicorn.rpcinterface",
    "circus.circusd",
    "circus_unicorn.enter",
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
    words: list[str],
    directory: str,
    environ: dict[str, str],
    is_daemon: bool,
    output: int,
    answer: int,
) -> None:
    """Be the command, to its end. The answer is its exit status, a daemon's at once its pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    for stream in (1, 2):
        os.dup2(output, stream)
    if is_daemon:
        os.setsid()
        os.write(answer, str(os.getpid()).encode())
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.argv = words
    code = exit_status(words[0])
    if is_daemon:
        sys.exit(code)
    sys.stdout.flush()
    os.write(answer, str(code).encode())
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
