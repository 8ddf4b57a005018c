"""RealOllama: an Ollama server as a child process, with a folder of models of its own.

The program and its models are those that ../shared/engines/build-ollama leaves in the cache. A server has the
models that the test names; their weights are links, so that making and deleting models harms nobody.

Invariant: when the `with` is left, neither the server nor a model runner of it is left.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from kube import waiting

SMOLLM2, SMOLLM2_LONG, GEMMA3 = "smollm2:135m", "smollm2-long:135m", "gemma3:270m"
"""The second has the first's weights and num_ctx 8192; each of the two throws the other out of memory."""

SECONDS = 60.0
"""No answer takes longer, unless it hangs: two shared cores, a load included."""

_BUILD = Path(__file__).parents[3] / "shared" / "engines" / "build-ollama"
"""Not part of the project; used where it is."""

_SPARING = {"CMAKE_ARGS": "-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF"}
"""A model's wheel needs llama-cpp-python, of which nothing is used: ten minutes that need not be compiled."""

_LIBRARY = Path("manifests/registry.ollama.ai/library")
_LOADED = 'msg="loaded runners"'
"""In the server's log, once for each load."""

Object = dict[str, Any]


class NoOllamaError(Exception):
    """There is no Ollama here; the message is a sentence for the user."""


def build() -> Path:
    """The folder with the program and its models. Where CI is set it is made first, which takes minutes."""
    home = Path(os.environ.get("STEELYARD_OLLAMA") or "~/.cache/steelyard/ollama").expanduser()
    if not _is_whole(home) and "CI" in os.environ and _BUILD.is_file():
        subprocess.run([str(_BUILD)], env=os.environ | _SPARING | {"STEELYARD_OLLAMA": str(home)}, check=True)
    if not _is_whole(home):
        raise NoOllamaError(f"There is none in {home}; ../shared/engines/build-ollama makes one.")
    return home


class RealOllama:
    """A server that is up, and is the same after a restart: its port and its models stay."""

    def __init__(self, home: Path, folder: Path, settings: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "ollama.log"
        self._program = home / "ollama"
        self._settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
            "OLLAMA_MODELS": str(folder / "models"),
            "OLLAMA_NOPRUNE": "1",
            "OLLAMA_NO_CLOUD": "1",
        } | settings
        self._client = httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    # What it is asked

    def loaded(self) -> dict[str, Object]:
        """What it has in memory, by name; two names of the same digest are one."""
        return {one["name"]: one for one in self.get("/api/ps")["models"]}

    def models(self) -> dict[str, Object]:
        """What it has at all, by name."""
        return {one["name"]: one for one in self.get("/api/tags")["models"]}

    def get(self, path: str) -> Object:
        """The answer to a GET."""
        answer: Object = self._client.get(path).raise_for_status().json()
        return answer

    def post(self, path: str, **body: Any) -> Object:
        """The answer to a POST that is not streamed."""
        answer: Object = self._client.post(path, json={"stream": False} | body).raise_for_status().json()
        return answer

    def load(self, model: str, keep_alive: int | str = -1, **options: Any) -> Object:
        """Have a model loaded; the answer comes once it is."""
        return self.post("/api/generate", model=model, keep_alive=keep_alive, options=options)

    def unload(self, model: str) -> None:
        """Have a model go; it is gone when this returns."""
        self.post("/api/generate", model=model, keep_alive=0)
        waiting.until(lambda: model not in self.loaded(), f"{model} unloaded", SECONDS)

    def generate(self, model: str, tokens: int = 1, **more: Any) -> Object:
        """The answer to a prompt, of at most so many tokens."""
        options = {"num_predict": tokens, "seed": 7, "temperature": 0} | more.pop("options", {})
        return self.post("/api/generate", model=model, prompt="Count to 500.", options=options, **more)

    @contextmanager
    def working(self, model: str, **options: Any) -> Iterator[None]:
        """The model works on a request all through the block; at its end the client leaves."""
        body = {"model": model, "raw": True, "prompt": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10,"}
        body["options"] = {"num_predict": 10_000, "seed": 7, "temperature": 0} | options
        with self._client.stream("POST", "/api/generate", json=body) as answer:
            lines = answer.iter_lines()  # without it the answer is closed
            next(lines)
            yield

    def create(self, name: str, of: str, **parameters: Any) -> None:
        """Make a model of another one's weights with other parameters."""
        self.post("/api/create", model=name, parameters=parameters, **{"from": of})

    def loads(self) -> int:
        """Models that were loaded since it was first started, a reload for other options included."""
        return self.log.read_text(errors="replace").count(_LOADED)

    # What is done to it

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                [str(self._program), "serve"],
                env=self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def answers() -> bool:
            assert process.poll() is None, f"Ollama ended:\n{self.log.read_text(errors='replace')[-2000:]}"
            with suppress(httpx.TransportError):
                return self._client.get("/api/version").is_success
            return False

        waiting.until(answers, "Ollama's first answer", SECONDS)

    def stop(self) -> None:
        """Stop it at once, its runners with it: what it had in memory is lost."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(SECONDS)
            self._process = None

    def restart(self) -> None:
        """Stop and start it, on the same port."""
        self.stop()
        self.start()

    def kill_runners(self) -> None:
        """Kill what computes, as lack of memory does; the server itself stays and does not notice."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        for child in " ".join(one.read_text() for one in children).split():
            os.kill(int(child), signal.SIGKILL)

    def close(self) -> None:
        """End it."""
        self._client.close()
        self.stop()


@contextmanager
def ollama(
    home: Path, folder: Path, models: Sequence[str] = (SMOLLM2, SMOLLM2_LONG, GEMMA3), **settings: str | int
) -> Iterator[RealOllama]:
    """A server with these models out of `home`; settings as OLLAMA_MAX_LOADED_MODELS=1."""
    folder.mkdir(parents=True, exist_ok=True)
    _link_models(home, folder / "models", models)
    up = RealOllama(home, folder, {name: str(value) for name, value in settings.items()})
    try:
        yield up
    finally:
        up.close()


def _is_whole(home: Path) -> bool:
    return (home / "ollama").is_file() and (home / "models" / "manifests").is_dir()


def _link_models(home: Path, into: Path, models: Sequence[str]) -> None:
    (into / "blobs").mkdir(parents=True)
    for blob in (home / "models" / "blobs").iterdir():
        (into / "blobs" / blob.name).symlink_to(blob)
    for model in models:
        name, _, tag = model.partition(":")
        (into / _LIBRARY / name).mkdir(parents=True)
        shutil.copy(home / "models" / _LIBRARY / name / tag, into / _LIBRARY / name / tag)
