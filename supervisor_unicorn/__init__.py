"""`supervisorctl restart` as a zero-downtime handover: the Supervisor side of unicorn-handover.

supervisord loads `make_rpcinterface`, supervisorctl `make_ctlplugin`, and `supervisor_unicorn` is
the event listener's command.
"""

from .ctlplugin import make_ctlplugin
from .rpcinterface import make_rpcinterface

__all__ = ["make_ctlplugin", "make_rpcinterface"]
