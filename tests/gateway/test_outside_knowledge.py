"""Priors at the gateway: they decide where nothing was measured, and people see them apart."""

from pathlib import Path

from fakes import folders
from fakes.engines import answer, engine
from fakes.program import gateway

PRIORS = {"able": 92, "cheap": 41}
ANSWER = answer(b'{"object": "chat.completion", "choices": []}')


def test_a_model_is_chosen_by_what_others_measured_and_the_table_shows_it_apart(tmp_path: Path) -> None:
    told = {
        name: {"category": "Math", "scorePercent": percent, "samples": 200, "source": "a board, 2026-11"}
        for name, percent in PRIORS.items()
    }
    with engine(lambda ask: ask.send(ANSWER)) as up:
        policy = {"models": [{"name": "auto"}], "goal": "Best"}
        folders.write(
            tmp_path,
            *(folders.backend(name, up.port, folders.model(name)) for name in told),
            *(
                folders.resource(
                    "ModelProfile", name, {"backendRef": {"name": name}, "model": name, "priors": [prior]}
                )
                for name, prior in told.items()
            ),
            folders.resource("RoutingPolicy", "auto", policy),
        )
        with gateway(tmp_path) as running:
            body = {"model": "auto", "messages": [{"role": "user", "content": "What is 17 + 25 * 3?"}]}
            answered = running.client.post("/v1/chat/completions", json=body)
            pairs = running.admin.get("/admin/table").json()["candidates"]

    assert answered.headers["x-steelyard-model"] == "able"
    assert {pair["model"]: (pair["measured"], pair["priors"]) for pair in pairs} == {
        name: (False, [prior]) for name, prior in told.items()
    }
