"""The probes of a suite are the same everywhere, balanced, and short."""

import hashlib
from collections import Counter

from steelyard.api.measuring import Suite
from steelyard.api.profile import Level
from steelyard_profiler import workload
from steelyard_profiler.draws import Draws

GOLDEN = "0100fb05b92efe0f629287acdfd5c9a777f7a45f433cc3cd22a35d3fab94237a"


def digest(seed: int) -> str:
    probes = workload.probes(Suite.QUICK, seed)
    lines = [f"{p.category}/{p.level}/{p.index}/{p.template}/{p.max_tokens}/{p.question}" for p in probes]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_the_questions_of_this_version_never_change() -> None:
    assert workload.version(Suite.QUICK) == "Quick/1"
    assert digest(1) == GOLDEN, "questions changed: make it a new version of the suite"


def test_another_seed_asks_other_questions() -> None:
    assert digest(1) != digest(2)


def test_draws_are_those_of_sha_256() -> None:
    draws = Draws("a", 1)

    assert [draws.below(100) for _ in range(5)] == [
        int.from_bytes(hashlib.sha256(f"a/1#{count}".encode()).digest()[:8], "big") % 100
        for count in range(1, 6)
    ]


def test_a_sample_holds_each_item_once() -> None:
    assert sorted(Draws("x").sample("abcdef", 6)) == list("abcdef")


def test_every_round_has_one_probe_of_each_category_and_level() -> None:
    probes = workload.probes(Suite.QUICK, 1)
    cells = len(workload.TEMPLATES) * len(Level)

    for start in range(0, len(probes), cells):
        round_of = probes[start : start + cells]
        assert len({(probe.category, probe.level) for probe in round_of}) == cells
        assert len({probe.index for probe in round_of}) == 1


def test_no_question_is_asked_twice_and_templates_take_turns() -> None:
    for seed in range(10):
        probes = workload.probes(Suite.QUICK, seed)
        uses = Counter((probe.category, probe.level, probe.template) for probe in probes)

        assert len({probe.question for probe in probes}) == len(probes)
        assert max(uses.values()) - min(uses.values()) <= 1


def test_each_category_has_at_least_four_templates_a_level() -> None:
    assert all(len(templates) >= 4 for levels in workload.TEMPLATES.values() for templates in levels.values())


def test_answers_are_bounded() -> None:
    assert all(16 <= probe.max_tokens <= 128 for probe in workload.probes(Suite.QUICK, 1))


def test_every_example_fits_the_answer_that_is_asked_for() -> None:
    for probe in workload.probes(Suite.QUICK, 1):
        assert len(probe.check.example) / 2.5 <= probe.max_tokens, probe
