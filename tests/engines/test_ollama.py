"""Looking for an Ollama that runs already."""

import socket

from fakes.ollama import fake_ollama
from steelyard_cli.engines import ollama


def test_the_models_of_a_running_ollama_are_named() -> None:
    with fake_ollama(b'{"models": [{"name": "llama3:8b", "size": 1}, {"name": "qwen3:4b"}]}') as url:
        assert ollama.find_ollama(url) == ["llama3:8b", "qwen3:4b"]


def test_where_nothing_listens_there_is_no_ollama() -> None:
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        assert ollama.find_ollama(f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}") is None


def test_another_server_on_the_port_is_no_ollama() -> None:
    with fake_ollama(b"<html>Welcome</html>") as url:
        assert ollama.find_ollama(url) is None


def test_a_silent_server_on_the_port_is_no_ollama() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert ollama.find_ollama(f"http://127.0.0.1:{silent.getsockname()[1]}") is None
