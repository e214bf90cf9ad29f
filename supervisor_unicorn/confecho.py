"""Prints the three sections of this plugin, as `echo_supervisord_conf` prints Supervisor's own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from unicorn_handover.errors import either
from unicorn_handover.servers import SERVERS

COMMAND = "supervisor_unicorn"

CONF = """\
; One section for all programs: of two, Supervisor would know the last value of each key alone.
[rpcinterface:unicorn]
supervisor.rpcinterface_factory = supervisor_unicorn:make_rpcinterface
programs = {programs}
;server = auto        ; {servers}; auto reads the running master
;boot_timeout = 120   ; seconds from USR2 until all new workers are ready, else it is backed out
;soak = 0             ; seconds the old master is kept as the way back, its workers stopped
;check =              ; http://host:port/path or unix:/path.sock:/path, must answer 2xx or 3xx
;drain_timeout = 60   ; seconds the old master has for its requests, then it gets the quick signal
;pidfile =            ; the server's pid file; a hint
;survive = yes        ; a supervisord that was killed finds its programs again when it is started
;max_handovers = 0    ; how many may run at once, each doubling its program's memory; 0: no limit
;state =              ; a folder for what is remembered; default /run/unicorn-handover for root
;{first}.soak = 5       ; any option but max_handovers and state may be set for one program

[eventlistener:unicorn_handover]
command = {command}
events = UNICORN_DRIVER

; In the main file, for supervisorctl reads no [include].
[ctlplugin:unicorn]
supervisor.ctl_factory = supervisor_unicorn:make_ctlplugin
;wait = false         ; true: restart waits for the end of the handover, as with --wait
"""


def conf(programs: Sequence[str]) -> str:
    """Return the sections for these programs, ready to append to supervisord.conf.

    They go into the main file: supervisorctl does not read what `[include]` names.
    """
    return CONF.format(
        programs=" ".join(programs),
        first=programs[0],
        command=_command(),
        servers=either(SERVERS),
    )


def _command() -> str:
    """Return this command as the value of a `command` key, with its full path.

    supervisord's PATH need not have it: under systemd it has no virtual environment's directory.
    """
    called = sys.argv[0]
    path = shutil.which(called) if os.path.basename(called) == COMMAND else None
    words = [os.path.abspath(path)] if path else [sys.executable, "-m", COMMAND]
    # Supervisor expands `%(...)s` and then splits the value as a shell would.
    return shlex.join(words).replace("%", "%%")
