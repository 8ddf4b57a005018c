"""How fast an engine is by its own count of tokens, by a clock that is told."""

import pytest

from steelyard_gateway.speeds import SPEED_SECONDS, Speed

VALID_SECONDS = 6.0


def speeds(*told: tuple[float, float | None]) -> list[float | None]:
    """The speed after each of these (seconds, tokens)."""
    speed = Speed()
    return [speed.take(tokens, at, VALID_SECONDS) for at, tokens in told]


@pytest.mark.parametrize(
    ("told", "speed"),
    [
        (((0, 100), (2, 160)), 30.0),
        (((0, 100), (2, 100)), 0.0),
        (((0, 100), (2, 40)), None),
        (((0, None), (2, 40)), None),
        (((0, 100), (2, None)), None),
        (((0, 100), (0, 160)), None),
        (((0, 100), (2, None), (4, 160)), None),
        (((0, 100), (7, 160)), None),
        (((0, 100), (2, 40), (4, 60)), 10.0),
    ],
)
def test_speed_is_what_was_made_since(
    told: tuple[tuple[float, float | None], ...], speed: float | None
) -> None:
    assert speeds(*told)[-1] == speed


def test_a_speed_is_of_the_last_while() -> None:
    count = int(SPEED_SECONDS / 2) + 1
    fast = [(2.0 * at, 200.0 * at) for at in range(count)]
    slow = [(fast[-1][0] + 2.0 * at, fast[-1][1] + 20.0 * at) for at in range(1, count)]
    told = speeds(*fast, *slow)
    assert told[len(fast) - 1] == 100
    assert told[-1] == 10


def test_a_steady_engine_is_steady_also_by_a_count_that_moves_in_steps() -> None:
    tokens_per_second, begun = 40, 12_345_600
    told = speeds(*((at, float(f"{begun + tokens_per_second * at:.5e}")) for at in range(0, 120, 2)))
    settled = [speed for speed in told[15:] if speed is not None]
    assert len(settled) == 45
    assert all(36 <= speed <= 44 for speed in settled)


def test_an_engine_that_counts_an_answer_at_its_end_is_not_idle_until_then() -> None:
    told = speeds(*((at, 400.0 * (at // 10)) for at in range(0, 120, 2)))
    assert all(speed is not None and 30 <= speed <= 55 for speed in told[15:])
