"""What a server is thought to have in memory, by what it tells and by what it is sent."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from fakes import gateways
from steelyard.routing.table import Candidate
from steelyard.telemetry.samples import EngineSample, LoadedModel
from steelyard_gateway.residents import Residents

A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")
NAMES = {"a:latest": A, "b:latest": B, "c:latest": C, "d:latest": D, "copy-of-a:latest": A}


def sample(*loaded: str | LoadedModel, models: Mapping[str, str | None] | None = NAMES) -> EngineSample:
    """What a server tells that has these digests loaded, of 1000 MiB each."""
    entries = [one if isinstance(one, LoadedModel) else entry(one) for one in loaded]
    return EngineSample(loaded=tuple(entries), models=models)


def entry(digest: str | None, name: str = "some:latest", memory_mib: int | None = 1000) -> LoadedModel:
    return LoadedModel(name, digest, memory_mib, memory_mib, 4096, None)


def candidate(model: str) -> Candidate:
    return gateways.candidate(gateways.endpoint(1), model)


def server(*samples: EngineSample) -> Residents:
    """A server that told this, one after another."""
    residents = Residents(Counter(), {})
    for one in samples:
        residents.told(one)
    return residents


def ask(residents: Residents, *keys: str) -> None:
    """One request after another, each of which is answered."""
    for key in keys:
        residents.sent(key)
        residents.answered(key)
        residents.ended(key)


# Which model is which


def test_a_model_for_which_another_server_answers_is_never_loaded_and_nothing_goes_for_it() -> None:
    residents = server(replace(sample(A), remote=frozenset({"b:latest"})))
    key = residents.key(candidate("b"))
    assert residents.has(key)
    assert residents.victims(key) == []
    assert not residents.sent(key, is_cold=True)
    assert (list(residents.keys), residents.loading, residents.in_flight[key]) == ([A], None, 1)
    residents.ended(key)
    assert not residents.in_flight


def test_a_model_that_turns_out_to_be_answered_elsewhere_is_not_in_memory() -> None:
    residents = Residents(Counter(), {})
    key = residents.key(candidate("b"))
    residents.sent(key)
    residents.told(
        replace(sample(A, models={"a:latest": A, "b:latest": None}), remote=frozenset({"b:latest"}))
    )
    assert list(residents.keys) == [A]


def test_a_model_is_known_by_its_digest_whatever_its_name() -> None:
    residents = server(sample(entry(A, "a:latest")))
    for name in ("a", "A:latest", "library/a", "copy-of-a"):
        assert residents.has(residents.key(candidate(name)))
    assert not residents.has(residents.key(candidate("b")))


def test_a_server_that_does_not_tell_what_it_has_is_matched_by_name() -> None:
    residents = Residents(Counter(), {})
    key = residents.key(candidate("a"))
    residents.told(sample(entry(A, "a:latest"), models=None))
    assert residents.has(key)


def test_a_model_that_is_not_there_is_known_to_be_lacking() -> None:
    residents = server(EngineSample())
    assert not residents.lacks(candidate("e"))
    residents.told(sample())
    assert residents.lacks(candidate("e"))
    assert not residents.lacks(candidate("a"))


def test_a_model_that_was_pulled_anew_keeps_its_key_until_its_requests_are_over() -> None:
    residents = server(sample(A))
    residents.sent(residents.key(candidate("a")))
    residents.told(sample(A, models=NAMES | {"a:latest": D}))
    assert residents.key(candidate("a")) == A
    residents.ended(A)
    residents.told(sample(A, models=dict(NAMES | {"a:latest": D})))
    assert residents.key(candidate("a")) == D


# What is in memory


def test_everything_is_taken_to_be_loaded_until_the_server_tells() -> None:
    residents = server()
    assert residents.has(A)
    assert not residents.sent(A)
    residents.told(EngineSample(models=NAMES))
    assert residents.has(B)
    residents.told(sample())
    assert not residents.has(B)


def test_what_is_sent_is_loaded_and_what_is_loaded_is_there_at_once() -> None:
    residents = server(sample())
    assert residents.sent(A)
    assert residents.loading == A
    assert residents.has(A)
    assert not residents.sent(A)
    residents.answered(A)
    assert residents.loading is None


def test_a_load_that_nobody_waited_for_to_the_end_is_given_up() -> None:
    residents = server(sample())
    residents.sent(A)
    residents.sent(A)
    residents.ended(A)
    assert residents.loading == A
    residents.ended(A)
    assert not residents.has(A)


def test_a_sample_from_before_a_load_does_not_bring_back_what_it_evicts() -> None:
    residents = server(sample(A))
    residents.sent(B)
    residents.told(sample(A))
    assert not residents.has(A)
    residents.answered(B)
    residents.told(sample(A))
    assert list(residents.keys) == [B]


def test_what_was_used_since_the_last_sample_stays_and_goes_with_the_next_that_does_not_tell_it() -> None:
    residents = server(sample())
    ask(residents, A)
    residents.told(sample())
    assert residents.has(A)
    residents.told(sample())
    assert not residents.has(A)


def test_others_load_and_unload_too() -> None:
    residents = server(sample(A), sample(B), sample(B))
    assert list(residents.keys) == [B]


def test_homes_are_counted_over_servers() -> None:
    homes: Counter[str] = Counter()
    one, other = Residents(homes, {}), Residents(homes, {})
    one.told(sample(A, B))
    other.told(sample(A))
    assert homes == {A: 2, B: 1}
    one.forget()
    assert homes == {A: 1}


# What fits


def test_a_server_holds_one_model_until_it_was_seen_to_hold_more() -> None:
    residents = server(sample(A))
    assert residents.victims(B) == [A]
    residents.sent(B)
    residents.answered(B)
    residents.ended(B)
    residents.told(sample(B, A))
    residents.told(sample(B, A))
    assert residents.victims(C) == [A]
    ask(residents, A)
    assert residents.victims(C) == [B]


def test_an_idle_model_goes_before_one_that_is_in_use_and_a_pinned_one_last() -> None:
    residents = server(sample(A, B, C))
    residents.sent(A)
    residents.pin(["b"])
    assert residents.victims(D) == [C]
    residents.sent(C)
    assert residents.victims(D) == [A]
    residents.pin("abc")
    assert residents.victims(D) == [B]


def test_a_large_model_takes_the_place_of_several() -> None:
    residents = server(sample(A, B, C), sample(entry(D, memory_mib=2500)), sample(A, B, C))
    assert residents.victims(D) == [A, B, C]


def test_a_model_whose_size_is_unknown_is_taken_to_be_as_large_as_the_largest_there() -> None:
    residents = server(sample(entry(A, memory_mib=500), entry(B, memory_mib=2000)), sample(A), sample(A))
    assert residents.victims(C) == []
    residents.told(sample(entry(B, memory_mib=2000)))
    residents.told(sample(entry(B, memory_mib=2000)))
    assert residents.victims(C) == [B]


def test_a_budget_bounds_what_models_take_together() -> None:
    residents = server(sample(A, B, C), sample(A, B), sample(A, B))
    assert residents.victims(C) == []
    residents.budget_mib = 2500
    assert residents.victims(C) == [A]


def test_when_a_load_evicts_what_should_have_fitted_less_fits_from_then_on() -> None:
    residents = server(sample(A, B), sample(A), sample(A))
    assert residents.victims(C) == []
    ask(residents, C)
    residents.told(sample(C))
    assert list(residents.keys) == [C]
    assert residents.victims(D) == [C]


def test_models_that_share_their_weights_evict_each_other_even_with_room_for_both() -> None:
    residents = server(sample(A, D), sample(A), sample(A))
    ask(residents, B)
    residents.told(sample(B))
    residents.told(sample(B, C))
    assert residents.victims(A) == [B]
    assert residents.victims(D) == [C]
    residents.told(sample(D, B, C))
    assert residents.victims(A) == [B]
    residents.told(sample(A, B))
    residents.told(sample(B))
    residents.told(sample(B))
    assert residents.victims(A) == []


@pytest.mark.parametrize(
    "loaded", [(), (entry(None, ""),), tuple(entry(None, f"{n}") for n in range(10_000))]
)
def test_strange_samples_harm_nothing(loaded: tuple[LoadedModel, ...]) -> None:
    residents = server(sample(A))
    for _ in range(3):
        residents.told(EngineSample(loaded=loaded, models={}))
    assert len(residents.keys) <= 256
    residents.sent(A)
    residents.ended(A)
