"""One server's memory within its budget: what is left out, what goes, and what waits for whom."""

from typing import Any

import pytest

from fakes.kept import Kept
from fakes.loading_ollama import LoadingOllama, Stored
from steelyard.api.signals import Eviction

A, B, C, D = (Stored(name, mib) for name, mib in (("a:1", 100), ("b:1", 200), ("c:1", 300), ("d:1", 50)))


def server(*models: Stored, **options: Any) -> LoadingOllama:
    return LoadingOllama(list(models or (A, B, C, D)), **options)


# Within the budget


@pytest.mark.parametrize("evict", list(Eviction))
def test_preloading_goes_as_far_as_the_budget(evict: Eviction) -> None:
    kept = Kept(server(), preload=("a:1", "b:1", "d:1"), budget_mib=160, evict=evict).round()

    # b was loaded to learn its size, and taken back.
    assert kept.ollama.loaded() == ["a:1", "d:1"]
    assert kept.told() == []


def test_of_those_that_nobody_used_the_last_in_the_list_goes() -> None:
    assert Kept(server(), preload=("a:1", "d:1", "b:1"), budget_mib=340).round().ollama.loaded() == [
        "a:1",
        "d:1",
    ]


@pytest.mark.parametrize("evict", list(Eviction))
def test_what_is_known_not_to_fit_is_not_preloaded_after_a_restart(evict: Eviction) -> None:
    kept = Kept(server(), preload=("a:1", "b:1", "d:1"), budget_mib=160, evict=evict).round()
    kept.ollama.restart()
    kept.ollama.journal.clear()

    assert kept.round().ollama.journal == [("loaded", "a:1"), ("loaded", "d:1")]


def test_above_the_budget_the_least_recently_used_goes() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=400).round()
    for name in ("b:1", "a:1", "b:1"):
        ollama.use(name)
        kept.after(5)
    ollama.use("c:1")

    # b was used later than a, but without a alone it is not enough
    assert kept.after(5).ollama.loaded() == ["c:1"]
    assert ollama.journal[-2:] == [("unloaded", "a:1"), ("unloaded", "b:1")]
    assert [event.model for event in kept.events] == ["a:1", "b:1"]


def test_no_more_goes_than_has_to() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=350).round()
    for name in ("b:1", "a:1", "d:1"):
        ollama.use(name)
        kept.after(5)
    ollama.use("b:1")
    kept.after(5)
    ollama.models.append(Stored("e:1", 60))
    ollama.use("e:1")

    assert kept.after(5).ollama.loaded() == ["b:1", "d:1", "e:1"]


def test_what_was_used_before_anybody_looked_is_known_by_its_expiry() -> None:
    ollama = server()
    for name, keep in (("b:1", -1), ("a:1", -1), ("b:1", None)):
        ollama.begin(name, keep_alive=None if keep is None else 9_223_372_036.854_775)
        ollama.end(name)
        ollama.now += 60

    assert Kept(ollama, budget_mib=250).round().ollama.loaded() == ["b:1"]


def test_a_model_that_never_fits_goes_first() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("a:1",), budget_mib=200).round()
    ollama.use("d:1")
    ollama.use("c:1")

    assert kept.after(5).ollama.loaded() == ["a:1", "d:1"]


def test_what_works_stays_and_the_next_goes() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=310).round()
    ollama.use("a:1")
    assert ollama.begin("a:1")
    for name in ("b:1", "d:1"):
        kept.after(5)
        ollama.use(name)
    kept.after(5)

    assert ollama.loaded() == ["a:1", "d:1"]
    assert ollama.broken == []


def test_while_everything_works_nothing_goes_and_people_are_told() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=150).round()
    assert ollama.begin("a:1", keep_alive=9e9)
    ollama.end("a:1")
    assert ollama.begin("a:1")
    assert ollama.begin("b:1")

    assert sorted(kept.after(5).ollama.loaded()) == ["a:1", "b:1"]
    assert kept.told() == ["Waiting"]

    ollama.end("b:1")

    assert kept.after(5).ollama.loaded() == ["a:1"]
    assert kept.told() == []


def test_while_one_goes_no_other_one_is_told_to() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=250).round()
    for name in ("d:1", "a:1", "b:1"):
        ollama.use(name)
    ollama.lets_go = False
    kept.after(5).after(5)
    assert kept.told() == ["Waiting"]

    ollama.lets_go = True

    assert kept.after(5).ollama.loaded() == ["b:1"]
    assert ollama.journal[-2:] == [("unloaded", "d:1"), ("unloaded", "a:1")]


def test_one_that_was_told_to_go_and_is_used_again_stays_as_long_as_it_has_to() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=250).round()
    for name in ("d:1", "a:1", "b:1"):
        ollama.use(name)
    ollama.lets_go = False
    kept.after(5)
    ollama.begin("d:1", keep_alive=9e9)
    ollama.end("d:1")
    ollama.lets_go = True

    assert kept.after(5).ollama.loaded() == ["d:1", "b:1"]


def test_pinned_models_never_go() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("a:1", "b:1"), budget_mib=320).round()
    ollama.use("d:1")

    assert sorted(kept.after(5).ollama.loaded()) == ["a:1", "b:1"]
    assert ("unloaded", "a:1") not in ollama.journal


def test_for_a_pinned_model_the_least_recently_used_makes_room() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("c:1",), budget_mib=450).round()
    ollama.restart()
    for name in ("b:1", "d:1"):
        ollama.use(name)
        ollama.now += 5

    assert sorted(kept.round().ollama.loaded()) == ["c:1", "d:1"]
    assert ollama.journal[-2:] == [("unloaded", "b:1"), ("loaded", "c:1")]


def test_a_pinned_model_that_waits_for_room_is_told_to_those_who_can_hold_requests_back() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("c:1",), budget_mib=450).round()
    ollama.restart()
    assert ollama.begin("b:1")
    assert kept.round().keeper.waits_for == "c:1"

    ollama.end("b:1")

    assert kept.round().ollama.loaded() == ["c:1"]
    assert kept.keeper.waits_for == ""


def test_for_a_preloaded_model_nothing_goes() -> None:
    ollama = server()
    kept = Kept(ollama, preload=("b:1",), budget_mib=250).round()
    ollama.restart()
    ollama.use("a:1")

    assert kept.round().want(preload=("b:1", "d:1"), budget_mib=250).round().ollama.loaded() == ["a:1", "d:1"]


def test_a_pinned_model_finds_room_before_a_preloaded_one() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("c:1",), preload=("d:1",), budget_mib=320).round()
    ollama.failing["c:1"] = 503
    ollama.restart()
    assert kept.round().ollama.loaded() == []
    ollama.failing.clear()

    assert kept.after(20).ollama.loaded() == ["c:1"]


def test_with_never_nothing_goes_that_somebody_used() -> None:
    ollama = server()
    kept = Kept(ollama, preload=("d:1",), budget_mib=160, evict=Eviction.NEVER).round()
    ollama.use("d:1")
    kept.after(5)
    ollama.use("b:1")

    assert kept.after(5).ollama.loaded() == ["d:1", "b:1"]
    assert kept.told() == ["OverBudget"]
    assert "d:1, b:1 take 250 MiB, spec.memory.budgetMiB is 160" in kept.message("OverBudget")


def test_pinned_models_that_exceed_the_budget_are_told() -> None:
    kept = Kept(server(), pinned=("a:1", "b:1"), budget_mib=250).round().after(5)

    assert kept.told() == ["OverBudget"]


def test_a_budget_too_small_for_the_pinned_is_told() -> None:
    kept = Kept(server(), pinned=("a:1", "b:1"), budget_mib=250).round()
    assert sorted(kept.ollama.loaded()) == ["a:1", "b:1"]  # its size was to be known
    kept.ollama.restart()

    assert kept.round().ollama.loaded() == ["a:1"]
    assert kept.told() == ["BudgetTooSmall", "NotLoaded"]
    assert "in which b:1 of spec.memory.pinned has no room" in kept.message("BudgetTooSmall")
    assert "take 300 MiB" in kept.message("BudgetTooSmall")


# Never onto a full server that works


def test_a_model_of_unknown_size_waits_until_nothing_works() -> None:
    ollama = server(most_loaded=1)
    assert ollama.begin("a:1", keep_alive=9e9)
    kept = Kept(ollama, pinned=("b:1",)).round()
    assert kept.told() == ["Waiting"]
    assert "Waits to load b:1 until a:1 has nothing to do" in kept.message("Waiting")
    assert kept.round().ollama.starved == []

    ollama.end("a:1")

    assert kept.round().ollama.loaded() == ["b:1"]
    assert ollama.starved == []


def test_what_is_known_to_fit_waits_for_nobody() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("a:1",), budget_mib=400).round()
    ollama.restart()
    assert ollama.begin("b:1")

    assert kept.round().ollama.loaded() == ["b:1", "a:1"]


def test_what_the_server_held_beside_what_is_there_waits_for_nobody() -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("a:1",)).round()
    ollama.use("b:1")
    kept.after(5)
    ollama.restart()
    assert ollama.begin("b:1")

    assert kept.after(5).ollama.loaded() == ["b:1", "a:1"]


def test_what_the_server_never_held_beside_what_is_there_waits() -> None:
    ollama = server(most_loaded=2)
    kept = Kept(ollama, pinned=("c:1",)).round()
    ollama.use("d:1")
    kept.after(5)
    ollama.restart()
    assert ollama.begin("a:1")
    assert ollama.begin("b:1")

    assert kept.after(100).after(100).ollama.loaded() == ["a:1", "b:1"]
    assert ollama.starved == []


def test_within_the_budget_a_model_of_unknown_size_waits_for_a_minute_at_most() -> None:
    ollama = server()
    assert ollama.begin("b:1")
    kept = Kept(ollama, pinned=("a:1",), budget_mib=1000).round()
    for _ in range(5):
        assert kept.after(10).ollama.loaded() == ["b:1"]
    assert kept.told() == ["Waiting"]

    assert kept.after(10).ollama.loaded() == ["b:1", "a:1"]


def test_without_a_budget_a_server_that_held_more_makes_a_model_of_unknown_size_wait_for_a_minute() -> None:
    ollama = server()
    for name in ("c:1", "d:1", "b:1"):
        ollama.use(name)
    ollama.begin("b:1")
    kept = Kept(ollama).round().want(pinned=("a:1",)).round()
    ollama.now += 400  # c and d go
    kept.round()

    assert kept.after(61).ollama.loaded() == ["b:1", "a:1"]


def test_finding_out_whether_a_model_works_is_no_use_of_it() -> None:
    ollama = server()
    kept = Kept(ollama, budget_mib=400).round()
    for name in ("a:1", "d:1", "a:1"):
        ollama.use(name)
        kept.after(5)
    assert ollama.begin("b:1")
    kept.want(pinned=("c:1",), budget_mib=400).after(5)  # asks a, d and b
    assert kept.told() == ["Waiting"]

    kept.want(budget_mib=300).after(5)

    assert sorted(ollama.loaded()) == ["a:1", "b:1"]


def test_finding_out_loads_nothing_anew() -> None:
    ollama = server(most_loaded=2)
    ollama.use("a:1", num_ctx=2048)
    ollama.use("b:1")
    Kept(ollama, {"a:1": 8192}, pinned=("d:1",)).round()

    assert [entry for entry in ollama.journal if entry[0] == "loaded"][2:] == [("loaded", "d:1")]


def test_a_context_beyond_the_model_is_asked_for_as_before() -> None:
    ollama = server(Stored("a:1", 100, trained=8192), B)
    kept = Kept(ollama, {"a:1": 100_000}, preload=("a:1",)).round()
    kept.want({"a:1": 100_000}, preload=("a:1",), pinned=("b:1",)).round()

    assert ollama.journal == [("loaded", "a:1"), ("loaded", "b:1")]
    assert kept.told() == ["ContextDiffers"]
    assert "a:1 is in memory with 8192 tokens of context" in kept.message("ContextDiffers")
