"""The table of the state machine, whole, against expectations written out by hand."""

from __future__ import annotations

from unicorn_handover.model.phases import TABLE, TRAITS, Event, Phase, matters

# Each row: a phase, then for each event that ends it, the phase that follows and whether this is
# where the handover goes wrong, "!". All other cells must name their own phase.
EXPECTED = """
requested
queued
checking      PASSED:re-executing TO_SPAWN:starting REFUSED:failed! OLD_GONE:failed!
checking      ROLLBACK:failed! TIMEOUT:failed!
re-executing  NEW_FOUND:booting RE_EXEC_FAILED:failed! RE_EXEC_REFUSED:failed!
re-executing  OLD_GONE:failed! TIMEOUT:failed!
starting      NEW_FOUND:booting NEW_GONE:failed! TIMEOUT:failed!
booting       PROVEN:draining READY:soaking NEW_GONE:failed! OLD_GONE:alone DYING:removing!
booting       TIMEOUT:removing! ROLLBACK:removing!
alone         PROVEN:confirming READY:confirming NEW_GONE:failed! DYING:failed! TIMEOUT:failed!
soaking       PROVEN:draining PROMOTE:draining OLD_GONE:alone NEW_GONE:restoring! DYING:restoring!
soaking       CHECK_FAILED:restoring! ROLLBACK:restoring! TIMEOUT:restoring!
restoring     OLD_READY:removing OLD_GONE:failed! WORKERS_LOST:failed! TIMEOUT:draining!
removing      UNSETTLED:settling NEW_GONE:failed OLD_GONE:failed! TIMEOUT:killing-new
killing-new   UNSETTLED:settling NEW_GONE:failed OLD_GONE:failed! TIMEOUT:failed
settling      SETTLED:failed OLD_GONE:failed! TIMEOUT:failed
draining      TAKEN_OVER:done OLD_GONE:confirming BOTH_GONE:failed! TIMEOUT:forcing
forcing       TAKEN_OVER:done OLD_GONE:confirming BOTH_GONE:failed! TIMEOUT:killing-old
killing-old   TAKEN_OVER:done OLD_GONE:confirming BOTH_GONE:failed! TIMEOUT:failed!
confirming    TAKEN_OVER:done NEW_GONE:failed! TIMEOUT:done
done
failed
"""


Cells = dict[tuple[str, str], tuple[str, bool]]  # by phase and event: what follows, and if wrongly


def _expected() -> Cells:
    cells = {(p.value, event.name): (p.value, False) for p in Phase for event in Event}
    for line in EXPECTED.strip().splitlines():
        phase, *words = line.split()
        for word in words:
            event, _, target = word.partition(":")
            assert (phase, event) in cells, word
            cells[phase, event] = (target.rstrip("!"), target.endswith("!"))
    return cells


def _cells() -> Cells:
    moves = {(phase, event): TABLE[phase][event] for phase in Phase for event in Event}
    return {
        (phase.value, event.name): (move.phase.value, bool(move.reason))
        for (phase, event), move in moves.items()
    }


def test_every_cell_is_as_expected() -> None:
    """Each leads where it should, and has a reason exactly where something goes wrong."""
    expected, cells = _expected(), _cells()
    assert {
        cell: (cells[cell], expected[cell]) for cell in cells if cells[cell] != expected[cell]
    } == {}
    assert cells.keys() == expected.keys()


def test_what_matters_in_a_phase_is_what_leads_out_of_it() -> None:
    """The driver asks for nothing else there."""
    expected = _expected()
    told = {(p.value, event.name) for p in Phase for event in Event if matters(p, event)}
    assert told == {cell for cell, (target, _) in expected.items() if target != cell[0]}


def test_every_row_is_expected() -> None:
    """The expectations name every phase, so that a new one is not forgotten here."""
    assert {line.split()[0] for line in EXPECTED.strip().splitlines()} == {p.value for p in Phase}


def test_an_end_can_be_reached_from_everywhere() -> None:
    """From each phase that the driver handles some events lead to an end."""
    for phase in set(Phase) - {Phase.REQUESTED, Phase.QUEUED}:
        reached = {phase}
        for _ in Phase:
            reached |= {move.phase for p in reached for move in TABLE[p].values()}
        assert any(p.final for p in reached)


def test_only_the_ends_are_final() -> None:
    """done and failed, and nothing leads out of them."""
    assert {phase for phase in Phase if phase.final} == {Phase.DONE, Phase.FAILED}
    for phase in (Phase.DONE, Phase.FAILED):
        assert {move.phase for move in TABLE[phase].values()} == {phase}


def test_once_the_old_master_is_told_to_quit_there_is_no_way_back() -> None:
    """No event leads from draining to a phase that removes the new master."""
    for phase in (Phase.DRAINING, Phase.FORCING, Phase.KILLING_OLD):
        targets = {move.phase for move in TABLE[phase].values()}
        assert not targets & {Phase.REMOVING, Phase.KILLING_NEW, Phase.RESTORING, Phase.SOAKING}


def test_every_phase_has_its_traits() -> None:
    """A phase that was added without them would be an error in the middle of a handover."""
    assert set(TRAITS) == set(Phase)


def test_what_can_be_rolled_back_is_what_traits_call_undecided() -> None:
    """The host answers the operator by the traits, the driver acts by the table."""
    for phase in (Phase.CHECKING, Phase.RE_EXECUTING, Phase.BOOTING, Phase.SOAKING):
        assert not phase.traits.decided
    for phase in Phase:
        if matters(phase, Event.ROLLBACK):
            assert not phase.traits.decided, phase
