"""`steelyard profile` on a terminal: a bar for each category, with its running score and interval."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from fakes.profiled_engine import ProfiledEngine

BACKEND = """
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: alpha}
spec: {engine: OpenAI, url: "%s", models: [{name: m}]}
"""


def test_each_category_has_a_bar_with_its_score_and_interval(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with ProfiledEngine().running() as engine:
        (tmp_path / "all.yaml").write_text(BACKEND % engine.url)
        words = [sys.executable, "-m", "steelyard_cli", "profile", "--source", f"file:{tmp_path}"]
        environment = os.environ | {"COLUMNS": "100", "TERM": "xterm"}
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as running:
            os.close(theirs)
            shown = b"".join(iter(lambda: _read(ours), b"")).decode()
            assert running.wait() == 0
    os.close(ours)

    bars = [line for line in shown.split("\n") if "Math" in line]
    assert "20/20" in bars[-1]
    assert "100% (83-100)" in bars[-1]


def _read(terminal: int) -> bytes:
    """What was written; empty once nobody can write any more, which Linux calls an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
