"""What crosses between a host and its driver: records and orders."""

from __future__ import annotations

import json

import pytest

from unicorn_handover.model.options import Options
from unicorn_handover.model.orders import Order
from unicorn_handover.model.phases import Phase
from unicorn_handover.model.record import MasterId, Record

RECORDS = [
    Record("web", 1, Phase.REQUESTED, MasterId(1, 2), 3.0, 4.0),
    Record(
        "x:y",
        7,
        Phase.FAILED,
        MasterId(1, 2),
        3.0,
        4.5,
        new=MasterId(5, 6),
        server="unicorn",
        worker_count=4,
        ready=1,
        total=2,
        reason="why \x1b\n é",
        signalled=3.5,
        ended=9.0,
        output=("a", "b"),
    ),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_survives_json(record: Record) -> None:
    """What one side writes the other side reads, field by field."""
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_fields_of_another_version_are_left_out() -> None:
    """During an upgrade host and driver may be of different versions."""
    fields = {**RECORDS[1].to_json(), "later": 1}
    del fields["unwatched"]  # which an earlier one lacks
    assert Record.from_json(fields) == RECORDS[1]
    order = Order(RECORDS[0], Options(soak=3), "promote").to_json()
    order["options"] = {**order["options"], "later": 1}
    assert Order.from_json(order) == Order(RECORDS[0], Options(soak=3), "promote")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**RECORDS[0].to_json(), "phase": "nosuch"},
        {**RECORDS[0].to_json(), "old": [1]},
        {**RECORDS[0].to_json(), "output": None},
    ],
)
def test_what_is_not_a_record_raises_what_it_should(wrong: dict[str, object]) -> None:
    """The caller handles KeyError, TypeError and ValueError."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Record.from_json(wrong)


@pytest.mark.parametrize(
    ("phase", "reason", "succeeded"),
    [(Phase.DONE, "", True), (Phase.DONE, "x", False), (Phase.FAILED, "", False)],
)
def test_success(phase: Phase, reason: str, succeeded: bool) -> None:
    """Only a release that took over with nothing wrong has succeeded."""
    assert RECORDS[0].but(phase=phase, reason=reason).succeeded is succeeded
