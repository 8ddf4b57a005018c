"""A gateway in front of two real Ollama servers that hold one model each, and traffic for three."""

from pathlib import Path

from fleet import real


def test_models_are_loaded_a_third_as_often_as_by_turns(ollama_home: Path, tmp_path: Path) -> None:
    asked = real.traffic(requests=40, seed=1)
    with real.servers(ollama_home, tmp_path) as up:
        by_turns = real.by_turns(up, asked, real.Pace(clients=10))
        ours = real.steelyard(up, asked, real.Pace(clients=10), tmp_path / "resources")
    assert (by_turns.errors, ours.errors) == ((), ())
    assert ours.loads <= by_turns.loads / 3
