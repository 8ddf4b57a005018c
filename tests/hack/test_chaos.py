"""Engines that are killed at random cost no request; ten minutes of it are `python hack/chaos.py`."""

import asyncio
import json

import pytest

import chaos
from chaos import Fate

ERROR = {"error": {"message": "m", "type": "t", "code": "stream_cut", "param": None}}
EVENT = f"data: {json.dumps(ERROR)}\n\n".encode()
WORD = b'data: {"choices":[]}\n\n'


def test_no_request_is_lost_while_engines_die_and_come_back() -> None:
    tally = asyncio.run(chaos.chaos(8, engines=3, clients=8))

    assert tally.kills > 0
    assert tally.fates[Fate.ANSWERED] > 0
    assert tally.fates[Fate.LOST] == 0, tally.rows()


@pytest.mark.parametrize(
    ("status", "answer", "is_streamed", "fate"),
    [
        (200, b'{"choices":[{}]}', False, Fate.ANSWERED),
        (200, b'{"choices":[]}', False, Fate.LOST),
        (502, json.dumps(ERROR).encode(), False, Fate.REFUSED),
        (503, json.dumps(ERROR).encode(), True, Fate.REFUSED),
        (200, WORD + b"data: [DONE]\n\n", True, Fate.ANSWERED),
        (200, WORD + EVENT, True, Fate.CUT),
    ],
)
def test_the_fate_of_a_request_is_told_by_its_answer(
    status: int, answer: bytes, is_streamed: bool, fate: Fate
) -> None:
    assert chaos.judge(status, answer, is_streamed)[0] is fate


@pytest.mark.parametrize(
    ("status", "answer", "is_streamed"),
    [(502, b"<html>", False), (502, b'{"detail":"x"}', False), (200, WORD, True), (200, b"", True)],
)
def test_what_is_no_answer_and_no_error_of_ours_is_lost(
    status: int, answer: bytes, is_streamed: bool
) -> None:
    with pytest.raises(ValueError):
        chaos.judge(status, answer, is_streamed)
