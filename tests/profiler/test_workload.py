"""The probes of a suite are the same everywhere, balanced, and short."""

import hashlib
import json
from collections import Counter
from itertools import pairwise

import pytest

from steelyard.api.measuring import Suite
from steelyard.api.profile import Level
from steelyard_profiler import workload
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Probe

GOLDEN = {
    "Quick/2": "455290935d83caa1658e94daa4ddcf594d250251364a9e4b368e8175c1381938",
    "Standard/1": "372e9160934e37e97f7a3c2c3d8415b2b782a8b7f7388da9b859a46e888d2c7c",
    "Full/1": "cb536e92273558914c9caba7758994dfcd83021b95fb0fb5b3fbb0314cbb2290",
}
"""What each suite asks with seed 1, what is right, and what blind guessing passes."""


def digest(suite: Suite, seed: int) -> str:
    lines = [
        f"{p.category}/{p.level}/{p.index}/{p.template}/{p.max_tokens}/{p.system}/{p.question}/"
        f"{json.dumps(p.tools)}/{json.dumps(_right(p))}/{p.chance:.4f}"
        for p in workload.probes(suite, seed)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _right(probe: Probe) -> list[str]:
    """The answer that is right: its text, then the name and arguments of each call."""
    text, calls = probe.right()
    return [text, *(part for call in calls for part in (call.name, call.arguments))]


def test_the_questions_and_keys_of_a_version_never_change() -> None:
    found = {workload.version(suite): digest(suite, 1) for suite in Suite}

    assert found == GOLDEN, f"questions changed: make it new versions of the suites, with GOLDEN = {found}"


def test_another_seed_asks_other_questions() -> None:
    assert digest(Suite.QUICK, 1) != digest(Suite.QUICK, 2)


def test_draws_are_those_of_sha_256() -> None:
    draws = Draws("a", 1)

    assert [draws.below(100) for _ in range(5)] == [
        int.from_bytes(hashlib.sha256(f"a/1#{count}".encode()).digest()[:8], "big") % 100
        for count in range(1, 6)
    ]


def test_a_sample_holds_each_item_once() -> None:
    assert sorted(Draws("x").sample("abcdef", 6)) == list("abcdef")


def test_categories_take_turns_and_so_do_levels_within_them() -> None:
    probes = workload.probes(Suite.QUICK, 1)
    count = len(workload.TEMPLATES)

    for start in range(0, len(probes), count):
        turn = probes[start : start + count]
        assert [probe.category for probe in turn] == list(workload.TEMPLATES)
        assert {probe.index for probe in turn} == {start // count}
        assert {probe.level for probe in turn} == {list(Level)[start // count % 3]}


@pytest.mark.parametrize("suite", Suite)
def test_a_probes_template_follows_from_its_index(suite: Suite) -> None:
    for probe in workload.probes(suite, 1):
        templates = workload.TEMPLATES[probe.category][probe.level]
        assert templates[workload.template(probe.category, probe.index)].__name__ == probe.template


def test_the_first_probes_of_a_category_are_the_same_however_many_follow() -> None:
    for category in workload.TEMPLATES:
        longer = workload.category_probes(Suite.FULL, 1, category, 160)
        shorter = workload.category_probes(Suite.FULL, 1, category, 40)
        assert [probe.question for probe in shorter] == [probe.question for probe in longer[:40]]


def test_no_question_is_asked_twice_and_templates_take_turns() -> None:
    for seed in range(5):
        probes = workload.probes(Suite.QUICK, seed)
        uses = Counter((probe.category, probe.level, probe.template) for probe in probes)

        assert len({probe.question for probe in probes}) == len(probes)
        for of_one in ((probe.category, probe.level) for probe in probes):
            counts = [uses[(*of_one, one.__name__)] for one in workload.TEMPLATES[of_one[0]][of_one[1]]]
            assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("suite", Suite)
def test_batches_end_where_it_is_fixed(suite: Suite) -> None:
    plan = workload.PLANS[suite]

    assert set(plan.batch_ends) <= {20, 40, 80, 160}
    assert all(one < other for one, other in pairwise(plan.batch_ends))
    assert plan.batch_ends[-1] <= workload.MOST_PROBES


def test_each_category_has_at_least_four_templates_a_level() -> None:
    assert all(len(templates) >= 4 for levels in workload.TEMPLATES.values() for templates in levels.values())


def test_answers_are_bounded() -> None:
    assert all(16 <= probe.max_tokens <= 256 for probe in workload.probes(Suite.QUICK, 1))


def test_every_example_fits_the_answer_that_is_asked_for() -> None:
    for probe in workload.probes(Suite.QUICK, 1):
        text, calls = probe.right()
        assert len(text + "".join(call.name + call.arguments for call in calls)) / 2.5 <= probe.max_tokens, (
            probe
        )
