"""The applications of the programs under test, in each server's language."""

from __future__ import annotations

# Signals that an app which traps all leaves alone: those that end a server, and those by which a
# master that has loaded it is led.
ENDING = "QUIT TERM INT"
LEADING = "USR2 TTIN TTOU CHLD CLD"

# What an app does when it is loaded, in each language. A gated one waits for the file `gate`; a
# helper is a process beside the workers that ends with its parent.
RUBY_BOOT = {
    "good": "",
    "gated": "sleep 0.02 until File.exist?({gate!r})",
    "raises": "raise 'release {name} is broken'",
    "hangs": "sleep",
    "slow": "sleep {seconds}",
    "exits": "exit! 0",
    "config": "",
    "sick": "",
    "traps": """\
(Signal.list.keys - %w[EXIT KILL STOP VTALRM SEGV BUS ILL FPE {kept}]).each {{ |s| trap(s) {{}} }}
""",
    "helper": """\
parent = Process.pid
fork {{ sleep 0.1 while Process.ppid == parent; exit! }}
""",
}
PYTHON_BOOT = {
    "good": "",
    "gated": "while not os.path.exists({gate!r}): time.sleep(0.02)",
    "raises": "raise RuntimeError('release {name} is broken')",
    "hangs": "time.sleep(3600)",
    "slow": "time.sleep({seconds})",
    "exits": "os._exit(0)",
    "config": "",
    "sick": "",
    "traps": """\
for number in signal.Signals:
    if number.name[3:] not in "KILL STOP {kept}".split():
        signal.signal(number, lambda number, frame: None)
""",
    "helper": """\
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(0)
""",
}

RUBY = """\
File.write({begun!r}, "")
{boot}
File.write("{loaded}#{{$$}}", "")
run lambda {{ |env|
  status = {status}
  mark = env["QUERY_STRING"]
  File.write("{entered}#{{mark}}", "") unless mark.empty?
  case env["PATH_INFO"]
  when %r{{\\A/sleep/(.+)}} then sleep $1.to_f
  when %r{{\\A/print/(.+)}} then $stdout.puts($1); $stdout.flush; $stderr.puts("err-" + $1)
  when "/held" then sleep 0.02 until File.exist?({answer!r})
  when "/crash" then Process.kill(:KILL, $$); sleep
  end
  body = "{name} worker=#{{$$}} master=#{{Process.ppid}}"
  [status, {{"Content-Type" => "text/plain", "Content-Length" => body.size.to_s}}, [body]]
}}
"""

PYTHON = """\
import os, signal, sys, time
open({begun!r}, "w").close()
{boot}
open(f"{loaded}{{os.getpid()}}", "w").close()
def application(environ, start_response):
    path = environ["PATH_INFO"]
    mark = environ["QUERY_STRING"]
    if mark:
        open(f"{entered}{{mark}}", "w").close()
    if path.startswith("/sleep/"):
        time.sleep(float(path[7:]))
    if path.startswith("/print/"):
        print(path[7:], flush=True)
        print("err-" + path[7:], file=sys.stderr, flush=True)
    while path == "/held" and not os.path.exists({answer!r}):
        time.sleep(0.02)
    if path == "/crash":
        os.kill(os.getpid(), signal.SIGKILL)
    body = f"{name} worker={{os.getpid()}} master={{os.getppid()}}".encode()
    start_response("{status} X", [("Content-Type", "text/plain"),
                                  ("Content-Length", str(len(body)))])
    return [body]
"""
