"""The cause of a failure, read from what the masters write."""

from __future__ import annotations

from unicorn_handover.model.phases import Phase

from .history import History


def writing_history(**options: object) -> History:
    """One whose old master writes to "log", where something is written already."""
    history = History(**options)
    history.old.writes = ["log"]
    history.system.files["log"] = "RuntimeError: of long ago\n"
    return history


def test_the_cause_is_read_from_the_old_master_s_files() -> None:
    """A new master opens the same; it may be gone before anybody sees what it has open."""
    history = writing_history()
    history.unicorn.dies = 0.4
    history.system.later(
        0.2, lambda: history.system.files.update(log="RuntimeError: of long ago\nOSError: now")
    )
    assert history.run().output == ("OSError: now",)


def test_the_cause_is_read_from_what_only_the_new_master_writes() -> None:
    """A changed configuration names another log."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.new.writes = ["log", "new.log"]
    history.system.files["new.log"] = "OSError: now\n"
    assert history.run().output == ("OSError: now",)


def test_the_cause_is_read_from_the_new_release_s_directory() -> None:
    """The new master opens its log there, and may be gone before anybody sees that."""
    history = writing_history()
    history.old.words = ["unicorn master -c /srv/unicorn.rb"]
    history.old.cwd, history.old.writes = "/srv/1", ["/srv/1/log/err"]
    history.system.links["/srv/current"] = "/srv/2"
    files = history.system.files
    files["/srv/unicorn.rb"] = 'working_directory "/srv/current"\n'
    files["/srv/2/log/err"] = "RuntimeError: of an earlier restart\n"
    history.unicorn.dies = 0.4
    told = files["/srv/2/log/err"] + "OSError: now\n"
    history.system.later(0.2, lambda: files.update({"/srv/2/log/err": told}))
    assert history.run().output == ("OSError: now",)


def test_what_the_backing_out_makes_them_write_is_no_cause() -> None:
    """Only what was written until the handover failed is read."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.at_phase[Phase.REMOVING] = lambda: history.system.files.update(
        log=history.system.files["log"] + "RuntimeError: told to quit\n"
    )
    assert history.run().output == ()


def test_another_driver_reads_on_from_where_it_came() -> None:
    """It does not take what was written long ago for the cause."""
    history = writing_history(boot_timeout=5.0)
    history.unicorn.boots = None
    history.run(Phase.BOOTING)
    history.begin(history.lose_driver())
    history.system.later(
        1.0, lambda: history.system.files.update(log="RuntimeError: of long ago\nOSError: now\n")
    )
    assert history.run().output == ("OSError: now",)


def test_a_good_release_has_no_output() -> None:
    """Whatever is written."""
    history = writing_history()
    history.system.later(0.2, lambda: history.system.files.update(log="x" * 500))
    record = history.run()
    assert record.succeeded and record.output == ()
