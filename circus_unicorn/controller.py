"""What this plugin adds to the commands of circusd's controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus.exc import MessageError
from tornado.concurrent import Future
from tornado.gen import Return

from unicorn_handover.errors import printable

from .coroutines import Steps, coroutine

if TYPE_CHECKING:
    from .host import Host


class UnicornCommand:
    """`unicorn`: connects the plugin; shows and steers handovers for the `circus_unicorn` command.

    Properties: `do` is one of `connect`, `status`, `rollback` and `promote`; `name` is a watcher's.
    """

    name = "unicorn"

    def __init__(self, host: Host) -> None:
        self._host = host

    def validate(self, props: dict[str, Any]) -> None:
        """Raise MessageError if this is not a message that `execute` knows."""
        if props.get("do") not in ("connect", "status", "rollback", "promote"):
            raise MessageError("unicorn: `do` must be connect, status, rollback or promote")
        if props["do"] in ("rollback", "promote") and not props.get("name"):
            raise MessageError(f"unicorn: {props['do']} needs the name of a watcher")

    def execute(self, arbiter: object, props: dict[str, Any]) -> dict[str, Any]:
        """Do it, and return the answer. Raises MessageError if it cannot be done."""
        if props["do"] == "connect":
            self._host.connect(str(props.get("address")))
            return {}
        self._host.look()
        names = [str(props["name"]).lower()] if props.get("name") else list(self._host.watchers)
        for name in names:
            if name not in self._host.watchers:
                raise MessageError(f"{printable(name, 60)} is not managed by circus_unicorn")
        if props["do"] == "status":
            statuses = [self._host.status_of(name) for name in names]
            return {"watchers": statuses, "driver": self._host.driver}
        refusal = self._host.steer(self._host.programs[names[0]], props["do"])
        if refusal:
            raise MessageError(refusal)
        return {}


class StockCommand:
    """A command of Circus's own, with something of ours around it."""

    def __init__(self, stock: Any, host: Host) -> None:
        self._stock = stock
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)


class AddCommand(StockCommand):
    """`add`: the new watcher is managed from its first moment."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let Circus add it, then look."""
        response = self._stock.execute(arbiter, props)
        self._host.look()
        return response


class ReloadConfigCommand(StockCommand):
    """`reloadconfig`: what it brings is managed when it is answered."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let Circus read the file, then look; what is wrong in it is told anew."""
        response = self._stock.execute(arbiter, props)
        if isinstance(response, Future):
            response.add_done_callback(lambda _: self._host.look_anew())
        return response


class WorkersCommand(StockCommand):
    """`incr` or `decr`: Circus itself leaves a singleton as it is, but its master has workers."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let a managed watcher add or drop workers."""
        self._host.look()
        watcher = self._host.watchers.get(str(props.get("name")).lower())
        if watcher is None or not self._host.has(watcher):
            return self._stock.execute(arbiter, props)
        number = int(props.get("nb", 1))
        return self._answer(watcher.incr(number if self._stock.name == "incr" else -number))

    @coroutine
    def _answer(self, change: Any) -> Steps:
        number = yield change
        raise Return({"numprocesses": number})


class RestartCommand(StockCommand):
    """`restart` or `reload`, with an answer that knows of handovers.

    Circus answers a caller who waits nothing at all if the restart fails, and a caller who does
    not, before anything was looked at.
    """

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let Circus begin; if that began handovers, answer for them."""
        self._host.look()
        waiting = bool(props.get("waiting"))
        several = self._stock.name == "restart" and "name" in props
        with self._host.beginning(several) as begun:
            response = self._stock.execute(arbiter, props)
            if self._stock.name == "reload" and "name" not in props:
                self._host.reload_all(bool(props.get("graceful", True)))
        if not begun:
            return response
        props["waiting"] = True  # the controller is to send the answer when it is there
        return self._host.answer(begun, response, waiting)
