"""The settings in force of a watcher, by which its master was started, and those of the next."""

from __future__ import annotations

from typing import Any

from circus.watcher import Watcher

from unicorn_handover.model.record import Record

from .settings import (
    RENEWED,
    Settings,
    bring_into_force,
    differing,
    from_json,
    section_to_json,
    section_with,
    settings_of,
    to_json,
)


class InForce:
    """The settings of one watcher.

    What was set or read stands in the watcher's own attributes, and is undone if the handover to it
    fails. Only a master that circusd took over keeps those by which another circusd started it,
    until a handover or a start brings the newer ones.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._section: dict[str, Any] | None = None  # the one before a change, until it is over
        self._newer: tuple[Settings, dict[str, Any]] | None = None  # and their section
        self._hidden: dict[str, Any] | None = None  # the watcher's own section: see `show`

    def difference(self) -> str:
        """The settings that have changed since the running master was started."""
        changed = self._changed()
        return f"[watcher:{self._watcher.name}] {', '.join(changed)} changed" if changed else ""

    def configure(self, section: dict[str, Any]) -> None:
        """Apply the settings of a newly read section, which differs only in some of KEYS.

        Circus finds it unchanged from now on; if the handover fails it is changed again.
        """
        new = _watcher_of(section)
        bring_into_force(self._watcher, settings_of(new))
        self._newer = None
        self._apply_section({**section, "env": new._cfg["env"]})

    def show(self, section: dict[str, Any]) -> None:
        """Let Circus, which compares sections now, find this one; `hide` ends that.

        It stops and starts a watcher whose section it finds changed, also one whose handover is
        refused, or fails meanwhile.
        """
        own = self._watcher._cfg
        self._watcher._cfg = {**section, "env": _watcher_of(section)._cfg["env"]}
        self._hidden = own

    def hide(self) -> None:
        """Let the watcher have its own section again."""
        section, self._hidden = self._hidden, None
        if section is not None:
            self._watcher._cfg = section

    @property
    def _own_section(self) -> dict[str, Any] | None:
        """The watcher's section, None of one that was added at run time."""
        section: dict[str, Any] | None = self._hidden or getattr(self._watcher, "_cfg", None)
        return section

    @_own_section.setter
    def _own_section(self, section: dict[str, Any]) -> None:
        if self._hidden is not None:
            self._hidden = section
        else:
            self._watcher._cfg = section

    def _apply_section(self, section: dict[str, Any]) -> None:
        self._section = self._section or self._own_section
        self._own_section = section

    def over(self, record: Record) -> None:
        """Set back settings that failed, so that a crash does not start them either."""
        was_new = self._section is not None or (record.method == "spawn" and record.why)
        if record.succeeded:
            self._section = None
            self._newer = None if was_new else self._newer
        elif was_new:
            self.set_back()

    def set_back(self) -> None:
        """Take the settings, and the section, of the master that runs."""
        section, self._section = self._section, None
        if section is not None:
            self._own_section = section
        running = self._running()
        changed = self._changed()
        bring_into_force(self._watcher, {name: running[name] for name in changed})
        if changed:
            self._watcher.warn(f"set back to what runs: {', '.join(changed)}")

    def remembered(self, started_by: Settings) -> dict[str, Any]:
        """What the next circusd needs to keep these settings in force, in plain types."""
        section = self._own_section
        return {
            "started_by": to_json(self._watcher, started_by) if started_by else None,
            "section": section_to_json(section) if section else None,
        }

    def read(self, own: dict[str, Any]) -> Settings:
        """The settings that another circusd has remembered. Raises as `from_json`."""
        return from_json(self._watcher, own["started_by"])

    def keep(self, own: dict[str, Any]) -> Settings:
        """Keep what another circusd has remembered in force; return it.

        `reloadconfig` finds the section changed, if it is. Raises as `from_json`.
        """
        then, now = self.read(own), settings_of(self._watcher)
        section = self._own_section
        before = section_with(section, own["section"]) if section and own["section"] else section
        if differing(then, now) or before != section:
            self._newer = now, section or {}
            bring_into_force(self._watcher, then)
        if before:
            self._own_section = before
        return then

    @property
    def has_newer(self) -> bool:
        """True while other settings are configured than those in force."""
        return self._newer is not None

    def renew(self) -> None:
        """Apply the newer settings to a handover that begins, but for what was set since."""
        if self._newer is None:
            return
        (newer, section), running = self._newer, self._running()
        now = settings_of(self._watcher)
        kept = {name for name in RENEWED if running and now[name] != running[name]}
        bring_into_force(self._watcher, {n: v for n, v in newer.items() if n not in kept})
        if section:
            self._apply_section(section)

    def renew_for_good(self) -> None:
        """Apply the newer settings for a start."""
        self.renew()
        self._section = self._newer = None

    def _changed(self) -> list[str]:
        running = self._running()
        return differing(running, settings_of(self._watcher)) if running else []

    def _running(self) -> Settings:
        """What the running master was started by, {} if there is none."""
        process = self._watcher.process
        return dict(process.started_by) if process else {}


def _watcher_of(section: dict[str, Any]) -> Watcher:
    """The watcher that Circus would make of a section, without its streams."""
    plain = {key: value for key, value in section.items() if not key.endswith("_stream")}
    return Watcher.load_from_config(plain)
