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
    Fingerprint,
    Level,
    LevelScore,
    ModelProfile,
    ModelProfileStatus,
    Performance,
    ResourceUse,
    Run,
    Ttft,
)
from steelyard_profiler import quality, report
from steelyard_profiler.profiling import Result
from steelyard_profiler.report import ReportError
from steelyard_profiler.target import Failure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FINGERPRINT = Fingerprint(suite="Quick/1", seed=1)
ONE, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
RUN = Run(start_time=NOW, completion_time=NOW, tokens_used=7)
SCORE = quality.category_score(
    Category.MATH, [LevelScore(level=level, passed=1, samples=8) for level in Level], 20
)
MEASURED = Result(
    FINGERPRINT,
    RUN,
    quality=quality.overall([SCORE]),
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

    assert line.startswith('{"v":1,') and line.endswith(',"end":true}')
    assert "\n" not in line


WRONG = {
    "cut": report.encode(MEASURED)[:-1],
    "empty": "",
    "another version": report.encode(MEASURED).replace('"v":1', '"v":2'),
    "unknown field": report.encode(MEASURED).replace('"end"', '"more":1,"end"'),
    "more passed than asked": report.encode(MEASURED).replace("[1,8]", "[9,8]"),
    "nothing asked": report.encode(MEASURED).replace("[1,8]", "[0,0]"),
    "unknown category": report.encode(MEASURED).replace("Math", "Magic"),
    "number as text": report.encode(MEASURED).replace('"seed":1', '"seed":"1"'),
    "time out of range": report.encode(MEASURED).replace('"start":1', '"start":1000000000000'),
    "too long": report.encode(MEASURED).replace("estimated", "x" * 3000),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_refused(case: str) -> None:
    with pytest.raises(ReportError):
        report.decode(WRONG[case])


COUNTS = st.integers(1, (1 << 20) - 1)


@given(message=st.text(max_size=3000), count=COUNTS, number=st.integers(1, 2**53), failed=st.booleans())
def test_every_legal_result_fits(message: str, count: int, number: int, failed: bool) -> None:
    cells = [LevelScore(level=level, passed=count, samples=count) for level in Level]
    result = Result(
        Fingerprint(suite="S" * 64, seed=2**31 - 1),
        RUN.model_copy(update={"tokens_used": number}),
        quality=quality.overall([quality.category_score(category, cells, count) for category in Category]),
        performance=Performance(
            ttft_ms=Ttft(p50=number, p95=number),
            output_tokens_per_second=number,
            prompt_tokens_per_second=number,
            cold_load_ms=number,
        ),
        resources=ResourceUse(memory_mib=number, power_watts=number, joules_per_thousand_tokens=number),
        capabilities=Capabilities(**dict.fromkeys(Capabilities.model_fields, False)),
        failure=Failure("R" * 63, message) if failed else None,
        note=message,
    )
    line = report.encode(result)

    assert len(line.encode()) <= report.MOST_BYTES
    assert report.decode(line).quality == result.quality
