"""One server's memory kept over its rounds: what is loaded, restarts and failures."""

from typing import Any

import pytest

from fakes.kept import Kept
from fakes.loading_ollama import LoadingOllama, Stored

A, B, C, D = (Stored(name, mib) for name, mib in (("a:1", 100), ("b:1", 200), ("c:1", 300), ("d:1", 50)))


def server(*models: Stored, **options: Any) -> LoadingOllama:
    return LoadingOllama(list(models or (A, B, C, D)), **options)


# What is wanted is loaded


def test_pinned_models_are_loaded_and_stay_for_ever() -> None:
    kept = Kept(server(), pinned=("b:1", "a:1")).round()

    assert kept.ollama.journal == [("loaded", "b:1"), ("loaded", "a:1")]
    assert [asked["keep_alive"] for _, asked in kept.ollama.asked if "keep_alive" in asked] == [-1, -1]
    assert kept.told() == []
    assert [event.words for event in kept.events] == ["was loaded: 200 MiB.", "was loaded: 100 MiB."]


def test_preloaded_models_stay_as_long_as_the_spec_says() -> None:
    kept = Kept(server(), preload=("a:1",), keep_alive_seconds=60).round()

    assert kept.ollama.asked[-1] == ("/api/generate", {"model": "a:1", "keep_alive": 60, "options": {}})


def test_a_model_is_loaded_with_its_context() -> None:
    kept = Kept(server(), {"a:1": 16_384}, pinned=("a:1",)).round()

    assert kept.ollama.asked[-1][1]["options"] == {"num_ctx": 16_384}
    assert kept.round().told() == []


def test_names_are_those_that_ollama_takes_for_the_same() -> None:
    kept = Kept(server(Stored("small:latest", 10)), pinned=("library/Small",)).round()

    assert kept.ollama.loaded() == ["small:latest"]


def test_what_is_there_is_not_loaded_again() -> None:
    ollama = server()
    ollama.use("a:1")
    ollama.begin("b:1", keep_alive=float("9e9"))
    kept = Kept(ollama, pinned=("b:1",), preload=("a:1",)).round()

    assert ollama.journal == [("loaded", "a:1"), ("loaded", "b:1")]
    assert kept.told() == []


def test_a_pinned_model_whose_process_was_killed_is_loaded_within_a_minute() -> None:
    kept = Kept(server(), pinned=("a:1",)).round()
    kept.ollama.kill("a:1")
    assert kept.after(5).ollama.dead == {"a:1"}

    assert kept.after(30).ollama.dead == set()


def test_a_pinned_model_is_not_asked_for_at_every_look() -> None:
    kept = Kept(server(), pinned=("a:1",)).round()
    for _ in range(60):
        kept.after(2)

    assert 4 <= len(kept.ollama.asked) <= 6


def test_a_pinned_model_that_would_go_is_told_to_stay() -> None:
    ollama = server()
    ollama.use("a:1")
    kept = Kept(ollama, pinned=("a:1",)).round().after(1000)

    assert ollama.loaded() == ["a:1"]
    assert ollama.journal == [("loaded", "a:1")]
    assert kept.told() == []


def test_a_model_that_only_embeds_is_loaded_by_embedding() -> None:
    kept = Kept(server(Stored("embed:1", 10, embeds_only=True)), pinned=("embed:1",)).round()

    assert kept.ollama.loaded() == ["embed:1"]
    assert [path for path, _ in kept.ollama.asked] == ["/api/generate", "/api/embed"]


def test_a_model_that_was_pulled_is_loaded_within_a_minute() -> None:
    kept = Kept(server(A), pinned=("b:1",), preload=("c:1",)).round()
    assert kept.told() == ["ModelMissing", "ModelMissing"]
    assert "spec.memory.pinned names b:1, which the server does not have" in kept.message("ModelMissing")

    kept.ollama.models += [B, C]

    assert kept.after(31).ollama.loaded() == ["b:1", "c:1"]
    assert kept.told() == []


def test_a_model_for_which_another_server_answers_is_not_loaded_and_it_is_said() -> None:
    remote = Stored("b:1", 1, is_remote=True)
    kept = Kept(server(A, remote), pinned=("b:1",), preload=("a:1",)).round()

    assert [asked["model"] for _, asked in kept.ollama.asked] == ["a:1"]
    assert kept.told() == ["ModelRemote"]
    assert "spec.memory.pinned names b:1, for which the server has another" in kept.message("ModelRemote")


# Restarts


def test_after_a_restart_everything_is_there_again() -> None:
    kept = Kept(server(), pinned=("a:1",), preload=("b:1",)).round()
    kept.ollama.restart()

    assert kept.after(5).ollama.loaded() == ["a:1", "b:1"]


def test_after_an_outage_everything_is_there_again_whoever_came_first() -> None:
    kept = Kept(server(), pinned=("a:1",), preload=("b:1",)).round()
    kept.ollama.is_down = True
    assert kept.round().told() == ["NotTold"]
    kept.ollama.is_down = False
    kept.ollama.restart()
    kept.ollama.use("d:1")

    assert kept.after(5).ollama.loaded() == ["d:1", "a:1", "b:1"]


def test_after_a_restart_between_two_looks_everything_is_there_again_whoever_came_first() -> None:
    kept = Kept(server(), preload=("a:1", "b:1")).round()
    kept.ollama.restart()
    kept.ollama.use("d:1")

    assert kept.after(5).ollama.loaded() == ["d:1", "a:1", "b:1"]


def test_after_a_restart_between_two_looks_what_somebody_had_loaded_stays_as_long_as_the_spec_says() -> None:
    kept = Kept(server(), preload=("a:1",)).round()
    kept.ollama.restart()
    kept.ollama.use("a:1")  # for five minutes

    assert kept.after(5).after(1000).ollama.loaded() == ["a:1"]
    assert kept.ollama.journal == [("loaded", "a:1")] * 2


def test_a_model_that_works_is_not_told_to_stay() -> None:
    kept = Kept(server(), preload=("a:1",)).round()
    kept.ollama.restart()
    assert kept.ollama.begin("a:1")
    kept.ollama.asked.clear()
    kept.after(5)
    assert not any("keep_alive" in asked for _, asked in kept.ollama.asked)

    kept.ollama.end("a:1")

    assert kept.after(5).after(1000).ollama.loaded() == ["a:1"]


def test_what_somebody_unloaded_beside_others_that_nobody_touched_is_not_loaded_again() -> None:
    kept = Kept(server(), preload=("a:1", "b:1")).round()
    kept.ollama.answer("/api/generate", b'{"model":"a:1","keep_alive":0}')

    assert kept.after(5).after(5).ollama.loaded() == ["b:1"]


def test_a_model_that_went_for_the_same_file_under_another_name_is_brought_back_once() -> None:
    other = Stored("a-long:1", 100, blob="same", num_ctx=8192)
    ollama = server(Stored("a:1", 100, blob="same"), other, B)
    kept = Kept(ollama, preload=("a:1",)).round()
    ollama.begin("b:1", keep_alive=30)
    ollama.end("b:1")
    kept.after(5).after(60)  # two were there at once
    for _ in range(20):
        ollama.use("a-long:1")
        kept.after(5)

    assert ollama.journal.count(("loaded", "a:1")) == 2


def test_a_preloaded_model_that_was_driven_out_is_not_loaded_again() -> None:
    ollama = server(most_loaded=1)
    kept = Kept(ollama, preload=("b:1",)).round()
    ollama.use("d:1")

    assert kept.after(5).after(5).ollama.loaded() == ["d:1"]


def test_a_preloaded_model_that_ran_out_is_not_loaded_again() -> None:
    kept = Kept(server(), preload=("b:1",), keep_alive_seconds=60).round()

    assert kept.after(100).ollama.loaded() == []


def test_a_pinned_model_that_somebody_unloaded_comes_back() -> None:
    kept = Kept(server(), pinned=("a:1",)).round()
    kept.ollama.answer("/api/generate", b'{"model":"a:1","keep_alive":0}')

    assert kept.after(5).ollama.loaded() == ["a:1"]


# Failures


def test_a_load_that_fails_is_tried_again_ever_more_slowly_and_told_once() -> None:
    ollama = server()
    ollama.failing["a:1"] = 500
    kept = Kept(ollama, pinned=("a:1", "d:1")).round()
    assert ollama.loaded() == ["d:1"]
    assert kept.message("LoadFailed") == "Model a:1 could not be loaded: the server answered 500."
    for _ in range(60):
        kept.after(10)

    tries = [asked for _, asked in ollama.asked if asked["model"] == "a:1"]
    assert 4 < len(tries) < 9
    assert [event.model for event in kept.events if event.failed] == ["a:1"]

    del ollama.failing["a:1"]

    assert sorted(kept.after(900).ollama.loaded()) == ["a:1", "d:1"]
    assert kept.told() == []


def test_a_load_without_an_answer_is_a_failure() -> None:
    ollama = server(capacity_mib=300)
    kept = Kept(ollama, pinned=("c:1",), budget_mib=10_000).round()  # a budget that the server does not have
    ollama.restart()
    assert ollama.begin("b:1")

    kept.round()

    assert "the server did not answer" in kept.message("LoadFailed")


def test_two_that_the_server_cannot_hold_do_not_drive_each_other_out_for_ever() -> None:
    one_file = server(Stored("a:1", 100, blob="same"), Stored("a-long:1", 100, blob="same", num_ctx=8192))
    kept = Kept(one_file, pinned=("a:1", "a-long:1")).round()
    assert "a:1 went when a-long:1 was loaded" in kept.message("LoadFailed")
    for _ in range(360):
        kept.after(10)

    assert one_file.journal.count(("loaded", "a:1")) < 12
    assert kept.told() == ["LoadFailed", "NotLoaded"]


def test_a_server_that_holds_less_than_the_budget_says_is_not_trusted_again() -> None:
    ollama = server(most_loaded=1)
    kept = Kept(ollama, pinned=("a:1",), budget_mib=10_000).round()
    ollama.use("b:1")
    assert kept.after(5).ollama.loaded() == ["a:1"]  # b went for it, though both would fit
    ollama.begin("b:1")

    kept.after(5).after(5)

    assert ollama.starved == []
    assert "Waiting" in kept.told()


def test_another_wish_is_tried_at_once() -> None:
    ollama = server()
    ollama.failing["a:1"] = 500
    kept = Kept(ollama, pinned=("a:1",)).round()
    ollama.failing.clear()

    kept.want({"a:1": 8192}, pinned=("a:1",)).round()

    assert ollama.loaded() == ["a:1"]


def test_a_new_name_to_preload_is_loaded_and_the_others_are_not_loaded_again() -> None:
    kept = Kept(server(), preload=("a:1",), keep_alive_seconds=60).round().after(100)

    kept.want(preload=("a:1", "b:1"), keep_alive_seconds=60).round()

    assert kept.ollama.loaded() == ["b:1"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"models": 3}', b"\xff" * 99])
def test_a_server_that_speaks_nonsense_is_told_and_left_alone(body: bytes) -> None:
    ollama = server()
    kept = Kept(ollama, pinned=("a:1",)).round()
    ollama.asked.clear()
    ollama.says = body

    assert kept.round().told() == ["NotTold"]
    assert ollama.asked == []


def test_a_clock_that_is_set_back_makes_nothing_wait() -> None:
    ollama = server(A)
    ollama.failing["a:1"] = 500
    kept = Kept(ollama, pinned=("a:1", "b:1")).round()
    kept.set_clock_back(86_400)
    ollama.failing.clear()
    ollama.models.append(B)

    assert kept.after(31).ollama.loaded() == ["a:1", "b:1"]
    assert kept.told() == []
    ollama.kill("a:1")
    kept.set_clock_back(86_400)

    assert kept.after(31).ollama.dead == set()
