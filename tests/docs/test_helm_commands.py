"""Helm's commands on the pages install what the pages say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.charts import Render, only

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
CHART = "charts/steelyard"
STRANGERS = ("open-webui/open-webui",)
"""Charts of others, which are not rendered."""


def commands() -> Iterator[tuple[str, list[str]]]:
    """The page and the words of each command that installs or upgrades the chart."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", "").splitlines():
                if line.startswith(("helm install ", "helm upgrade ")) and line.split()[3] not in STRANGERS:
                    yield page.relative_to(ROOT).as_posix(), shlex.split(line, comments=True)


def values() -> list[str]:
    """The values of the chart that pages hold."""
    pattern = re.compile(r"```yaml\n(# values of charts/steelyard\n.*?)```", re.DOTALL)
    return [text for page in PAGES for text in pattern.findall(page.read_text())]


def test_there_are_some() -> None:
    pages = {"docs/install.md", "docs/kubernetes.md", "docs/ingress.md", "examples/vllm/README.md"}

    assert {page for page, _ in commands()} >= pages


@pytest.mark.parametrize("words", [words for _, words in commands()], ids=" ".join)
def test_a_command_renders_all_in_its_namespace(render: Render, words: list[str]) -> None:
    _, verb, release, chart, *more = words
    namespace = more[more.index("--namespace") + 1]
    settings = {"--set", "--set-string"}
    chosen = [word for at, word in enumerate(more) if settings & {word, *more[at - 1 : at]}]

    objects = render(*chosen, release=release, namespace=namespace)

    assert chart == CHART
    assert {one["metadata"].get("namespace", namespace) for one in objects} == {namespace}
    assert (verb == "install") == ("--reset-then-reuse-values" not in more)


@pytest.mark.parametrize("text", values())
def test_values_on_a_page_are_the_charts(render: Render, tmp_path: Path, text: str) -> None:
    (file := tmp_path / "values.yaml").write_text(text)

    shown = only(render(f"--values={file}"), "Ingress", "steelyard-gateway")

    assert shown["spec"]["rules"][0]["host"] == "llm.example.com"


def test_the_forwarded_port_is_that_of_the_service(render: Render) -> None:
    (words,) = set(re.findall(r"service/(\S+) (\d+)$", (ROOT / "docs" / "kubernetes.md").read_text(), re.M))
    service = only(render(), "Service", words[0])

    assert service["spec"]["ports"][0]["port"] == int(words[1])
