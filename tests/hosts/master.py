"""A small process that re-executes itself on USR2, as unicorn does.

It is what the proofs ask of a unicorn master: exec'd, with UNICORN_FD in its environment, and the
socket that it names open, and a handler for TTOU. Each prints its name and pid. It ends at QUIT,
with status 3 at TERM.
"""

import os
import signal
import socket
import sys
import time

GENERATION = int(os.environ.get("GENERATION", "1"))


def re_execute(number, frame):
    if os.fork() == 0:
        listener = socket.socket()
        os.set_inheritable(listener.fileno(), True)
        environ = {
            **os.environ,
            "GENERATION": str(GENERATION + 1),
            "UNICORN_FD": str(listener.fileno()),
        }
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
        os.execve(sys.executable, [sys.executable, __file__], environ)


def main():
    signal.signal(signal.SIGUSR2, re_execute)
    signal.signal(signal.SIGQUIT, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(3))
    signal.signal(signal.SIGTTOU, lambda number, frame: None)
    print(f"master {GENERATION} pid {os.getpid()}", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
