"""The examples in docs/profiling.md, made from the templates.

Run it to write them anew. A category's block stands between `<!-- probes: CATEGORY -->` and `<!-- end -->`;
the rest of the page is prose and is left alone.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler import workload
from steelyard_profiler.probe import Probe

PAGE = Path(__file__).parents[1] / "docs" / "profiling.md"

SEED = 1
"""Of the probes that are shown."""

MOST_CHARACTERS = 600
"""Of a question that is shown whole."""

_BLOCK = re.compile(r"(<!-- probes: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """The page with every block as the templates have it now."""
    return _BLOCK.sub(lambda block: block[1] + _block(Category(block[2])) + block[3], page)


def _block(category: Category) -> str:
    probes = workload.category_probes(
        Suite.QUICK, SEED, category, workload.PLANS[Suite.STANDARD].batch_ends[-1]
    )
    templates = workload.TEMPLATES[category]
    counts = ", ".join(f"{len(templates[level])} {level}" for level in Level)
    chance = round(100 * fmean(probe.chance for probe in probes))
    shown = next(probe for probe in probes if probe.level is Level.MEDIUM)
    told = f"{sum(map(len, templates.values()))} templates ({counts}); blind guessing passes {chance} %."
    return f"\n{told} A Medium one:\n\n```text\n{_shown(shown)}\n```\n\n"


def _shown(probe: Probe) -> str:
    text, calls = probe.right()
    question = probe.question
    if len(question) > MOST_CHARACTERS:
        question = f"{question[: MOST_CHARACTERS // 2]} … {question[-MOST_CHARACTERS // 2 :]}"
    tools = [f"({', '.join(map(_name, probe.tools))})"] if probe.tools else []
    answers = [*(f"{call.name}({call.arguments})" for call in calls), *([text] if text else [])]
    return "\n".join([*tools, question, *(f"→ {answer}" for answer in answers)])


def _name(tool: Mapping[str, object]) -> str:
    function = tool["function"]
    assert isinstance(function, Mapping)
    return str(function["name"])


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
