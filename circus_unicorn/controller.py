"""What this plugin adds to the commands of circusd's controller."""

from __future__ import annotations

from typing import Any

from circus.exc import MessageError
from tornado.concurrent import Future
from tornado.gen import Return

from unicorn_handover.errors import printable

from .circusd import changed_keys
from .coroutines import Steps, coroutine
from .host import CircusSide
from .settings import KEYS
from .watcher import ManagedWatcher


def install(side: CircusSide) -> None:
    """Put this plugin's commands among those of circusd's controller."""
    commands: dict[str, Any] = side.circusd.arbiter.ctrl.commands
    commands[UnicornCommand.name] = UnicornCommand(side)
    for name, ours in OURS.items():
        commands[name] = ours(commands[name], side)


class UnicornCommand:
    """`unicorn`: connects the plugin; serves the `circus_unicorn` command.

    Properties: `do` is one of `connect`, `status`, `leave`, `rollback` and `promote`; `name` is a
    watcher's; `leave` takes several `names`.
    """

    name = "unicorn"

    def __init__(self, side: CircusSide) -> None:
        self._side = side

    def validate(self, props: dict[str, Any]) -> None:
        """Raise MessageError if this is not a message that `execute` knows."""
        if props.get("do") not in ("connect", "status", "leave", "rollback", "promote"):
            raise MessageError("unicorn: `do` must be connect, status, leave, rollback or promote")
        if props["do"] in ("rollback", "promote") and not props.get("name"):
            raise MessageError(f"unicorn: {props['do']} needs the name of a watcher")

    def execute(self, arbiter: object, props: dict[str, Any]) -> dict[str, Any]:
        """Execute the message and return the answer. Raises MessageError if that fails."""
        if props["do"] == "connect":
            self._side.driver.connect(str(props.get("address")))
            return {}
        self._side.look()
        given = props.get("names") or ([props["name"]] if props.get("name") else [])
        names = [str(name).lower() for name in given] or list(self._side.watchers)
        for name in names:
            if name not in self._side.watchers:
                raise MessageError(f"{printable(name, 60)} is not managed by circus_unicorn")
        if props["do"] == "status":
            statuses = [self._side.status_of(name) for name in names]
            return {"watchers": statuses, "driver": self._side.driver.pid}
        if props["do"] == "leave":
            return self._leave(names, are_all=not given)
        refusal = self._side.steer(self._side.programs[names[0]], props["do"])
        if refusal:
            raise MessageError(refusal)
        return {}

    def _leave(self, names: list[str], are_all: bool) -> dict[str, Any]:
        """Let the end of circusd spare these programs; return the names of their watchers."""
        watchers = [self._side.watchers[name] for name in names]
        refusals = {w.name: w.program.survival.ask_to_leave() for w in watchers}
        left = [name for name, why in refusals.items() if not why]
        refused = [f"{name}: {why}" for name, why in refusals.items() if why]
        if refused and not (are_all and left):
            raise MessageError("; ".join(refused))
        return {"left": left}


class StockCommand:
    """A command of Circus, extended."""

    def __init__(self, stock: Any, side: CircusSide) -> None:
        self._stock = stock
        self._side = side

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)


class AddCommand(StockCommand):
    """`add`: the new watcher is managed from its first moment."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let Circus add the watcher, manage it, and then start it, if that is wanted."""
        self._stock.execute(arbiter, {**props, "start": False})
        self._side.look()
        if not props.get("start", False):
            return None
        return self._side.circusd.arbiter.get_watcher(props["name"]).start()


class ReloadConfigCommand(StockCommand):
    """`reloadconfig`: changed watchers are handed over, and what it brings is managed."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Hand over what can be, let Circus do the rest; log mistakes again."""
        waiting, changed = bool(props.get("waiting")), self._changed()

        def done(_: object = None) -> None:
            for watcher, _ in changed:
                watcher.in_force.hide()
            self._look_anew()

        try:
            with self._side.restarts.collect(False) as begun:
                for watcher, section in changed:
                    self._begin(watcher, section)
            response = self._stock.execute(arbiter, props)
        except BaseException:
            done()
            raise
        if isinstance(response, Future):
            response.add_done_callback(done)
        else:
            done()
        if not begun:
            return response
        props["waiting"] = True  # the controller is to send the answer when it is there
        return self._side.restarts.answer(begun, response, waiting)

    def _begin(self, watcher: ManagedWatcher, section: dict[str, Any]) -> None:
        """Hand a watcher over to its changed section, or refuse that: then nothing changes."""
        watcher.in_force.show(section)
        why_not = _why_not(watcher)
        if not why_not:
            watcher.in_force.configure(section)
        self._side.restarts.begin(watcher.program, lambda: why_not or watcher.refusal())
        if not why_not and watcher.program.handovers.running is None:
            watcher.in_force.set_back()

    def _look_anew(self) -> None:
        """Manage all watchers, and log again what is wrong with the settings."""
        self._side.selection.forget()
        self._side.look()

    def _changed(self) -> list[tuple[ManagedWatcher, dict[str, Any]]]:
        """The running managed watchers of which only what starts them has changed."""
        circusd = self._side.circusd
        try:
            config = circusd.read_config()
            sections = {c["name"]: c for c in config["watchers"]}
            if circusd.is_to_restart_by(config):
                return []
            watchers = [w for w in self._side.watchers.values() if w.name in sections]
            return [(w, sections[w.name]) for w in watchers if _is_for_us(w, sections[w.name])]
        except (Exception, SystemExit):  # of a file that may be anything: Circus has its words
            return []


def _is_for_us(watcher: ManagedWatcher, section: dict[str, Any]) -> bool:
    changed = changed_keys(watcher, section)
    return bool(changed) and changed <= KEYS and watcher.can_be_handed_over


def _why_not(watcher: ManagedWatcher) -> str:
    """Why a changed section cannot be given to a new master now, or ""."""
    if watcher.program.handovers.running:
        return "a handover is under way; reload again when it has ended"
    if watcher.program.options.method == "usr2":
        return (
            f"[watcher:{watcher.name}] was changed, and method = usr2 cannot give that to a new "
            "master; set method = auto, or stop the watcher before reloadconfig"
        )
    return ""


class WorkersCommand(StockCommand):
    """`incr` or `decr`: Circus itself leaves a singleton as it is, but its master has workers."""

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let a managed watcher add or drop workers. Raises MessageError if its server does not."""
        self._side.look()
        watcher = self._side.watchers.get(str(props.get("name")).lower())
        if watcher is None or not self._side.circusd.has(watcher):
            return self._stock.execute(arbiter, props)
        refusal = watcher.why_no_number()
        if refusal:
            raise MessageError(refusal)
        number = int(props.get("nb", 1))
        return self._answer(watcher.incr(number if self._stock.name == "incr" else -number))

    @coroutine
    def _answer(self, change: Any) -> Steps:
        number = yield change
        raise Return({"numprocesses": number})


class RestartCommand(StockCommand):
    """`restart` or `reload`, with an answer that knows of handovers.

    Circus answers a caller who waits nothing at all if the restart fails, and a caller who does
    not, before the pre-flight checks.
    """

    def execute(self, arbiter: object, props: dict[str, Any]) -> Any:
        """Let Circus begin; if that began handovers, answer for them."""
        self._side.look()
        waiting = bool(props.get("waiting"))
        several = self._stock.name == "restart" and "name" in props
        with self._side.restarts.collect(several) as begun:
            response = self._stock.execute(arbiter, props)
            if self._stock.name == "reload" and "name" not in props:
                self._reload_all(bool(props.get("graceful", True)))
        if not begun:
            return response
        props["waiting"] = True  # the controller is to send the answer when it is there
        return self._side.restarts.answer(begun, response, waiting)

    def _reload_all(self, graceful: bool) -> None:
        """Begin all handovers of a reload at once, so that its caller gets their outcomes."""
        for watcher in self._side.circusd.in_order():
            if isinstance(watcher, ManagedWatcher) and watcher.reload_is_handover(graceful):
                watcher.hand_over()


OURS: dict[str, type[StockCommand]] = {
    "restart": RestartCommand,
    "reload": RestartCommand,
    "incr": WorkersCommand,
    "decr": WorkersCommand,
    "add": AddCommand,
    "reloadconfig": ReloadConfigCommand,
}
