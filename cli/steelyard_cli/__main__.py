"""The `steelyard` command: a word that names what to do, then that word's own flags.

Only the module of the chosen word is imported, so that each starts fast.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

COMMANDS = {
    "demo": "start real engines on this machine, measure them, route to them",
    "gateway": "route OpenAI-compatible requests to the models of a folder",
    "operator": "measure the models of a Kubernetes cluster and write their status",
    "agent": "tell how the GPUs of this node are, as dcgm-exporter does",
    "profile": "measure the models of a folder and write down what was found",
    "explain": "show which model would answer a request, and why",
    "validate": "check a folder of resources",
    "top": "show the endpoints of a gateway, live: queue, speed, cache, GPUs",
    "get": "print backends, profiles or policies as a table",
    "export": "write the resources of a namespace in a cluster as files",
    "doctor": "check an installation in a cluster, and say what to do",
    "import": "write the resources of files into a cluster, measurements included",
    "benchmarks": "take scores of public leaderboards over as outside knowledge",
    "crds": "print the definitions of the kinds for kubectl apply --server-side",
}
"""What each word does; the module of the same name holds it, or the one that MODULES names."""

MODULES = {"import": "imports"}
"""Words that no module can be called."""

PROGRAM, PLUGIN = "steelyard", "kubectl steelyard"
"""What users type: the command itself, or kubectl, which looks for `kubectl-steelyard`."""


EXTRAS = {"kopf": "kubernetes", "pynvml": "agent", "h2": "agent"}
"""Packages that not every installation has, and the extra that brings each."""


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
        """Add its flags."""
        ...

    def main(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status."""
        ...


def plugin() -> int:
    """Run the command as kubectl's plugin; the exit status."""
    return main(program=PLUGIN)


def main(words: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command that these words name; the exit status."""
    words = sys.argv[1:] if words is None else words
    word = words[0] if words else ""
    if word in ("", "-h", "--help"):
        sys.stdout.write(overview(program))
        return 0 if word else 2
    if word not in COMMANDS:
        sys.stderr.write(f"{program}: {word!r} is no command; these are: {', '.join(COMMANDS)}\n")
        return 2
    try:
        status = _run(program, word, words[1:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output left; what is still buffered must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def overview(program: str) -> str:
    """All commands in a line each."""
    lines = [f"  {word:<12}{text}" for word, text in COMMANDS.items()]
    return "\n".join(
        [f"usage: {program} COMMAND …", "", *lines, "", f"{program} COMMAND --help says more.", ""]
    )


def _run(program: str, word: str, words: Sequence[str]) -> int:
    try:
        command = cast(Command, importlib.import_module(f"steelyard_cli.{MODULES.get(word, word)}"))
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRAS:
            raise
        sys.stderr.write(
            f"{program} {word} needs {missing.name}: pip install 'steelyard[{EXTRAS[missing.name]}]'\n"
        )
        return 1
    text = COMMANDS[word]
    parser = argparse.ArgumentParser(prog=f"{program} {word}", description=f"{text[0].upper()}{text[1:]}.")
    command.add_arguments(parser, os.environ)
    return command.main(parser.parse_args(words))


if __name__ == "__main__":
    sys.exit(main())
