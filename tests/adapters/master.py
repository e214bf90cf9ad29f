"""A small process that re-executes itself on USR2, as unicorn does.

It is what the proofs ask of a unicorn master: exec'd, with UNICORN_FD in its environment, and the
socket that it names open, and a handler for TTOU. Each prints its name and pid. It ends at QUIT,
with status 3 at TERM.
"""

import os
import signal
import socket
import sys

GENERATION = int(os.environ.get("GENERATION", "1"))


def re_execute():
    if os.fork() == 0:
        listener = socket.socket()
        os.set_inheritable(listener.fileno(), True)
        environ = {
            **os.environ,
            "GENERATION": str(GENERATION + 1),
            "UNICORN_FD": str(listener.fileno()),
        }
        os.execve(sys.executable, [sys.executable, __file__], environ)


ACTS = {
    signal.SIGUSR2: re_execute,
    signal.SIGQUIT: lambda: os._exit(0),
    signal.SIGTERM: lambda: os._exit(3),
    signal.SIGTTOU: lambda: None,
}


def main():
    # Waited for, not handled: a handler's signal can come just before a sleep, and wait for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, ACTS)
    for number in ACTS:
        signal.signal(number, lambda number, frame: None)  # the proofs look for handlers
    print(f"master {GENERATION} pid {os.getpid()}", flush=True)
    while True:
        ACTS[signal.sigwait(ACTS)]()


if __name__ == "__main__":
    main()
