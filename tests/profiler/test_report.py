"""A result becomes a status, and a line that survives the way through a termination message."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api import conditions
from steelyard.api.backend import Capabilities, Cost
from steelyard.api.conditions import Fact
from steelyard.api.meta import Condition, ConditionStatus
from steelyard.api.profile import (
    Category,
    CategoryScore,
    Fingerprint,
    InterToken,
    ModelProfile,
    ModelProfileStatus,
    Performance,
    ResourceUse,
    Run,
    SaturationPoint,
    Ttft,
)
from steelyard_profiler import quality, report, workload
from steelyard_profiler.profiling import Result
from steelyard_profiler.report import ReportError
from steelyard_profiler.target import Failure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FINGERPRINT = Fingerprint(suite="Quick/2", seed=1)
ONE, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
RUN = Run(start_time=NOW, completion_time=NOW, tokens_used=7)
SCORE = quality.score_of(Category.MATH, [True, True, False, False] * 5, 20, 33)
WITHOUT_ONE = quality.score_of(Category.CODING, [None, *[True, False] * 10], 7)
MEASURED = Result(
    FINGERPRINT,
    RUN,
    quality=quality.overall([SCORE, WITHOUT_ONE]),
    performance=Performance(
        ttft_ms=Ttft(p50=1, p95=2), output_tokens_per_second=3, prompt_tokens_per_second=4
    ),
    resources=ResourceUse(memory_mib=16021, power_watts=64, joules_per_thousand_tokens=901),
    capabilities=Capabilities(chat=True, stream_usage=False),
    note="Tokens are estimated.",
)
FAILED = Result(FINGERPRINT, RUN, failure=Failure("Timeout", "The engine sent nothing."))


def profile(status: ModelProfileStatus | None = None) -> ModelProfile:
    value = {"metadata": {"name": "p", "generation": 3}, "spec": {"backendRef": {"name": "b"}, "model": "m"}}
    made = ModelProfile.model_validate(value)
    return made.model_copy(update={"status": status}) if status else made


def said(status: ModelProfileStatus) -> dict[str, tuple[str, str]]:
    return {found.type: (found.status.value, found.reason) for found in status.conditions}


def test_a_measured_profile_is_ready() -> None:
    status = report.status(profile(), MEASURED, None, NOW)

    assert said(status) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "Resolved"),
        "Succeeded": ("True", "Measured"),
        "Ready": ("True", "Measured"),
    }
    assert {found.observed_generation for found in status.conditions} == {3}
    assert status.quality == MEASURED.quality and status.price is None


def test_what_the_model_takes_is_in_its_status() -> None:
    before = report.status(profile(), MEASURED, None, NOW)
    assert before.resources == MEASURED.resources
    after = report.status(profile(before), replace(MEASURED, resources=None), None, NOW)
    assert after.resources is None, "what was not measured is absent"


LOADED = Performance(cold_load_ms=8200)
SPEED = Performance(output_tokens_per_second=3)
DIGESTS: dict[str, tuple[Performance | None, str | None, int | None]] = {
    "it was measured anew": (Performance(cold_load_ms=9), ONE, 9),
    "the model was in memory": (SPEED, ONE, 8200),
    "nobody tells the digest": (SPEED, None, 8200),
    "the model is another": (SPEED, OTHER, None),
}


@pytest.mark.parametrize("case", DIGESTS)
def test_the_earlier_time_to_load_stays_or_not_if(case: str) -> None:
    performance, digest, wanted = DIGESTS[case]
    first = replace(
        MEASURED, performance=LOADED, fingerprint=FINGERPRINT.model_copy(update={"model_digest": ONE})
    )
    again = FINGERPRINT.model_copy(update={"model_digest": digest})
    before = report.status(profile(), first, None, NOW)
    after = report.status(
        profile(before), replace(first, performance=performance, fingerprint=again), None, LATER
    )

    assert after.performance and after.performance.cold_load_ms == wanted


def test_an_hourly_cost_becomes_a_price() -> None:
    assert report.status(profile(), MEASURED, Cost(usd_per_hour="1"), NOW).price is not None


def test_a_failed_run_keeps_older_measurements() -> None:
    before = report.status(profile(), MEASURED, None, NOW)
    after = report.status(profile(before), FAILED, None, LATER)

    assert (after.quality, after.performance, after.fingerprint) == (
        before.quality,
        before.performance,
        before.fingerprint,
    )
    assert said(after)["Succeeded"] == ("False", "Timeout")
    assert said(after)["Ready"] == ("True", "Measured")


def test_a_failed_first_run_is_not_ready() -> None:
    status = report.status(profile(), FAILED, None, NOW)

    assert said(status)["Ready"] == ("False", "NotMeasured")
    assert status.quality is None


def test_a_profile_that_leads_nowhere_says_where_it_ends() -> None:
    fact = Fact("ResolvedRefs", False, "SecretNotFound", "Create it.")
    status = report.unresolved(profile(), fact, NOW)

    assert said(status) == {
        "ResolvedRefs": ("False", "SecretNotFound"),
        "Ready": ("False", "SecretNotFound"),
    }


def test_a_transition_is_dated_and_a_repetition_is_not() -> None:
    first = report.status(profile(), MEASURED, None, NOW)
    second = report.status(profile(first), FAILED, None, LATER)
    dates = {found.type: found.last_transition_time for found in second.conditions}

    assert dates == {"Accepted": NOW, "ResolvedRefs": NOW, "Succeeded": LATER, "Ready": NOW}


def test_the_same_condition_again_is_the_same_value() -> None:
    new = Condition(type="Ready", status=ConditionStatus.TRUE, reason="Measured")
    once = conditions.with_condition((), new, NOW)

    assert conditions.with_condition(once, new, LATER) == once


@pytest.mark.parametrize("result", [MEASURED, FAILED], ids=["measured", "failed"])
def test_a_line_is_read_as_what_was_written(result: Result) -> None:
    assert report.decode(report.encode(result)) == result


def test_a_line_of_an_earlier_version_is_read_without_what_it_lacks() -> None:
    line = report.encode(MEASURED)
    said = '"resources":{"memoryMiB":16021,"powerWatts":64,"joulesPerThousandTokens":901},'
    assert said in line
    assert report.decode(line.replace(said, "")) == replace(MEASURED, resources=None)


def test_a_line_begins_with_its_version_and_closes_itself() -> None:
    line = report.encode(MEASURED)

    assert line.startswith('{"v":2,') and line.endswith(',"end":true}')
    assert "\n" not in line


def test_a_probe_without_an_answer_costs_the_bitmap_and_no_count() -> None:
    read = report.decode(report.encode(MEASURED)).quality
    assert read
    whole, partial = read.categories

    assert (whole.bitmap, whole.chance_percent) == (SCORE.bitmap, 33)
    assert partial.bitmap is None
    assert [level.samples for level in partial.levels] == [6, 7, 7]


LINE = report.encode(MEASURED)
MATH = f'[20,"{SCORE.bitmap}",20,33]'
WRONG = {
    "cut": (LINE[:-1], "cut"),
    "empty": ("", "cut"),
    "of the version before": (LINE.replace('"v":2', '"v":1'), "of version 1, not 2"),
    "of a later version": (LINE.replace('"v":2', '"v":3'), "of version 3, not 2"),
    "with an unknown field": (LINE.replace('"end"', '"more":1,"end"'), "more"),
    "of more passed than asked": (LINE.replace("[3,6]", "[7,6]"), "passed must be at most samples"),
    "of a level without answers": (LINE.replace("[3,6]", "[0,0]"), "greater than or equal to 1"),
    "of an unknown category": (LINE.replace("Math", "Magic"), "Magic"),
    "of a bitmap too short": (LINE.replace(MATH, MATH.replace("20,", "25,", 1)), "25 samples take 4"),
    "of a bitmap too long": (LINE.replace(MATH, MATH.replace("20,", "16,", 1)), "16 samples take 2"),
    "of bits beyond the last": (LINE.replace(MATH, MATH.replace("20,", "17,", 1)), "does not hold 17 probes"),
    "of a bitmap that is none": (LINE.replace(MATH, '[20,"zM.M",20,33]'), "no base64"),
    "of more probes than any suite has": (LINE.replace(MATH, '[168,"' + "A" * 28 + '",20,33]'), "160"),
    "of too few probes for its levels": (
        LINE.replace(MATH, '[2,"gA==",20,33]'),
        "greater than or equal to 3",
    ),
    "of a chance beyond 100": (LINE.replace(",33]", ",101]"), "100"),
    "of a number as text": (LINE.replace('"seed":1', '"seed":"1"'), "seed"),
    "of a time out of range": (LINE.replace('"start":1', '"start":1000000000000'), "start"),
    "too long": (LINE.replace("estimated", "x" * 3000), "longer than 3000 bytes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_refused_with_the_reason(case: str) -> None:
    line, words = WRONG[case]
    with pytest.raises(ReportError) as refused:
        report.decode(line)

    assert words in str(refused.value)


NUMBERS = st.integers(1, 2**53)
BITS = st.integers(0, (1 << workload.MOST_PROBES) - 1)
MEAN = (1 << 20) - 1


@st.composite
def scores(draw: st.DrawFn) -> list[CategoryScore]:
    """Ten categories, each of the most probes, some of them with probes without an answer."""
    made = []
    for category in Category:
        passed, refused = draw(BITS), draw(st.just(0) | BITS) >> 6  # of each level some are answered
        outcomes = [None if refused >> at & 1 else bool(passed >> at & 1) for at in range(160)]
        made.append(quality.score_of(category, outcomes, MEAN, 100))
    return made


@given(message=st.text(max_size=3000), number=NUMBERS, failed=st.booleans(), categories=scores())
def test_every_legal_result_fits(
    message: str, number: int, failed: bool, categories: list[CategoryScore]
) -> None:
    result = _longest(number, categories)
    failure = Failure("R" * 63, message) if failed else None
    result = replace(result, failure=failure, note="" if failed else message)
    line = report.encode(result)
    read = report.decode(line)

    assert len(line.encode()) <= report.MOST_BYTES
    assert line.endswith(',"end":true}')
    assert (read.quality, read.performance) == (result.quality, result.performance)
    assert (read.resources, read.capabilities) == (result.resources, result.capabilities)
    assert read.context_tokens_verified == result.context_tokens_verified
    assert read.embedding_dimension == result.embedding_dimension


def test_measurements_fit_with_every_number_at_its_longest_and_a_sentence_beside() -> None:
    categories = [quality.score_of(category, [True] * 160, MEAN, 100) for category in Category]
    sentence = "It measured what it could. " * 20
    line = report.encode(replace(_longest(2**53, categories), note=sentence))

    assert report.decode(line).note.startswith(sentence[:100])


def _longest(number: int, categories: list[CategoryScore]) -> Result:
    """A result with every field there is, as long as it may be."""
    return Result(
        Fingerprint(suite="S" * 64, seed=2**31 - 1),
        RUN.model_copy(update={"tokens_used": number}),
        quality=quality.overall(categories),
        performance=Performance(
            cached_ttft_ms=number,
            output_tokens_per_second=number,
            prompt_tokens_per_second=number,
            cold_load_ms=number,
            ttft_ms=Ttft(p50=number, p95=number),
            inter_token_us=InterToken(p50=number, p95=number),
            saturation=tuple(
                SaturationPoint(concurrency=1024 - point, output_tokens_per_second=number, ttft_ms_p95=number)
                for point in range(16)
            ),
        ),
        resources=ResourceUse(**dict.fromkeys(ResourceUse.model_fields, number)),
        capabilities=Capabilities(**dict.fromkeys(Capabilities.model_fields, False)),
        context_tokens_verified=2**31,
        embedding_dimension=2**20,
    )
