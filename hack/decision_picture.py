"""The picture of one decision, docs/decision.svg: the golden fleet by expected quality and cost.

Run it to write the picture anew. Nothing is typed by hand: the decision is made here, by our own code, from
tests/golden/routing. Invariant: the same decision gives the same bytes.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

from steelyard.api.resources import ResourceSet
from steelyard.files import reading
from steelyard.routing import compiling, deciding, explaining, scorers
from steelyard.routing.decision import Decision, Distribution, NoLoad, Request, Turn
from steelyard.routing.table import CATEGORIES, LEVELS, Candidate

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "routing"
PICTURE = ROOT / "docs" / "decision.svg"
CASE = "04"
"""The golden case that is drawn."""

PROMPT_TOKENS = 1000
"""Length of the golden requests."""

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 82, 728, 100, 366
"""The plot's edges within the picture, in pixels."""

FREE_WIDTH = 60
"""The place at the left for models that cost nothing, which a log scale does not have; in pixels."""

FONT_SIZE = 13
LINE_HEIGHT = 17
RADIUS = 7
TICK = 5

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328 } .name { font-weight: 600; fill: #1f2328 }
  .card { fill: #ffffff; stroke: #d0d7de } .axis { stroke: #8c959f }
  .band { fill: #dafbe1 } .edge { stroke: #2da44e; stroke-dasharray: 4 4 }
  .chosen, .good { fill: #1a7f37 } .ring { fill: none; stroke: #1a7f37; stroke-width: 2.5 }
  .out { fill: #ffffff; stroke: #6e7781; stroke-width: 2 } .why { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title, .name { fill: #f0f6fc }
    .card { fill: #0d1117; stroke: #3d444d } .axis { stroke: #656c76 }
    .band { fill: #12261e } .edge { stroke: #3fb950 }
    .chosen, .good { fill: #3fb950 } .ring { stroke: #3fb950 } .why { fill: #3fb950 }
    .out { fill: #0d1117; stroke: #9198a1 }
  }"""


class State(StrEnum):
    """What the decision made of a model; also its class in the picture."""

    CHOSEN = "chosen"
    GOOD = "good"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Dot:
    """One model in the picture."""

    name: str
    """The model."""
    quality: float
    """Expected quality, 0 to 1."""
    cost_usd: float
    """Expected cost of the request in US dollars."""
    state: State
    """What became of it."""
    why: str
    """Why, in a few words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn."""

    title: str
    """What was asked."""
    reason: str
    """The decision in a sentence."""
    dots: tuple[Dot, ...]
    """The models."""
    good_from: float
    """The least quality that is good enough, 0 to 1."""
    good_to: float
    """The best quality among the candidates, 0 to 1."""
    band_label: str
    """What the band means."""


def golden_picture() -> Picture:
    """The picture of the golden case, from a decision made now."""
    case = yaml.safe_load((GOLDEN / f"{CASE}.in.yaml").read_text())
    table, _ = compiling.compile_table(_resources(case), "default")
    [stated] = case["request"]["turns"]
    turn = Turn(json.dumps(stated["cells"]), PROMPT_TOKENS, frozenset({"chat"}))
    request = Request(case["request"]["model"], (turn,), conversation="")
    return picture(deciding.decide(request, table, NoLoad(), 0, _stated), request, table.candidates)


def picture(decision: Decision, request: Request, candidates: Iterable[Candidate]) -> Picture:
    """What is drawn of a decision by quality and cost over these candidates, all of them measured."""
    best = max(one.quality or 0.0 for one in decision.weighed)
    reasons = {id(one.candidate): ", ".join(one.reasons) for one in decision.rejected}
    chosen, *others = decision.weighed
    dots = [Dot(chosen.candidate.model, chosen.quality or 0, chosen.cost_usd or 0, State.CHOSEN, "chosen")]
    for one in others:
        quality, cost_usd = one.quality or 0, one.cost_usd or 0
        if one.is_good_enough:
            state, why = State.GOOD, "good enough, but dearer"
        else:
            state, why = State.OUT, f"{(best - quality) * 100:.0f} points below the best"
        dots.append(Dot(one.candidate.model, quality, cost_usd, state, why))
    weighed = {id(one.candidate) for one in decision.weighed}
    for pair in candidates:
        if id(pair) not in weighed:
            asked = scorers.ask(request.turns[-1], decision.distribution, request.max_tokens)
            one = scorers.weigh(pair, asked, NoLoad())
            why = reasons.get(id(pair), f"{pair.location}, not selected")
            dots.append(Dot(pair.model, one.quality or 0, one.cost_usd or 0, State.OUT, why))
    return Picture(
        title=f"A request of category {decision.category}, level {decision.level}; goal {decision.goal}",
        reason=explaining.reason(decision),
        dots=tuple(dots),
        good_from=scorers.least_good_enough(best, decision.tolerance_percent),
        good_to=best,
        band_label=f"good enough: within {decision.tolerance_percent} points of the best",
    )


def drawn(shown: Picture) -> str:
    """The picture as SVG."""
    scale = _Scale(shown.dots)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="title">',
        f'<title id="title">{escape(shown.reason)}</title>',
        f"<style>{STYLE}\n</style>",
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        _text(24, 34, shown.title, "title"),
        _text(24, 56, shown.reason),
        *_band(shown, scale),
        *_axes(scale),
        *_dots(shown, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _resources(case: dict[str, Any]) -> ResourceSet:
    policies = [
        {
            "apiVersion": "steelyard.dev/v1alpha1",
            "kind": "RoutingPolicy",
            "metadata": {"name": one["name"]},
            "spec": one["spec"],
        }
        for one in case["policies"]
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(GOLDEN / "fleet.yaml", folder)
        (folder / "policies.yaml").write_text(yaml.safe_dump_all(policies))
        return reading.load(folder).resources


def _stated(turn: Turn) -> Distribution:
    """The distribution that the case states, carried by the turn's text."""
    cells = []
    for name, share in json.loads(turn.text).items():
        category, level = name.split("/")
        cells.append(([*CATEGORIES].index(category) * len(LEVELS) + [*LEVELS].index(level), float(share)))
    return tuple(cells)


class _Scale:
    """From quality and dollars to pixels."""

    def __init__(self, dots: Iterable[Dot]) -> None:
        qualities = [dot.quality for dot in dots]
        costs_usd = [dot.cost_usd for dot in dots]
        paid = [cost for cost in costs_usd if cost > 0] or [1.0]
        self.low = max(math.floor(min(qualities) * 10 - 0.5), 0) / 10
        self.decades = range(math.floor(math.log10(min(paid))), math.ceil(math.log10(max(paid))) + 1)
        self.has_free = 0.0 in costs_usd
        self.paid_left = LEFT + FREE_WIDTH if self.has_free else LEFT

    def x(self, cost_usd: float) -> float:
        if cost_usd == 0:
            return LEFT + FREE_WIDTH / 2
        share = (math.log10(cost_usd) - self.decades[0]) / (self.decades[-1] - self.decades[0] or 1)
        return self.paid_left + share * (RIGHT - self.paid_left)

    def y(self, quality: float) -> float:
        return BOTTOM - (quality - self.low) / (1 - self.low) * (BOTTOM - TOP)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    marks = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{x:g}" y="{y:g}"{marks}>{escape(words)}</text>'


def _line(kind: str, *, x: tuple[float, float], y: tuple[float, float]) -> str:
    return f'<line class="{kind}" x1="{x[0]:.4g}" y1="{y[0]:.4g}" x2="{x[1]:.4g}" y2="{y[1]:.4g}"/>'


def _usd(cost_usd: float) -> str:
    return f"${Decimal(f'{cost_usd:.2g}'):f}"


def _band(shown: Picture, scale: _Scale) -> list[str]:
    top, bottom = scale.y(shown.good_to), scale.y(shown.good_from)
    return [
        f'<rect class="band" x="{LEFT}" y="{top:.4g}" width="{RIGHT - LEFT}" height="{bottom - top:.4g}"/>',
        _line("edge", x=(LEFT, RIGHT), y=(top, top)),
        _text(LEFT + 10, round(top + LINE_HEIGHT + 2), shown.band_label, "why"),
    ]


def _axes(scale: _Scale) -> list[str]:
    parts = [
        _line("axis", x=(LEFT, RIGHT), y=(BOTTOM, BOTTOM)),
        _line("axis", x=(LEFT, LEFT), y=(TOP, BOTTOM)),
        _text((LEFT + RIGHT) / 2, BOTTOM + 46, "expected cost of this request, log scale", anchor="middle"),
        f'<g transform="rotate(-90 24 {(TOP + BOTTOM) / 2:g})">'
        + _text(24, (TOP + BOTTOM) / 2, "expected quality", anchor="middle")
        + "</g>",
    ]
    costs_usd = [10.0**decade for decade in scale.decades]
    for cost_usd in [0.0, *costs_usd] if scale.has_free else costs_usd:
        x = scale.x(cost_usd)
        parts.append(_line("axis", x=(x, x), y=(BOTTOM, BOTTOM + TICK)))
        parts.append(_text(round(x), BOTTOM + 22, _usd(cost_usd), anchor="middle"))
    for tenth in range(round(scale.low * 10), 11):
        y = scale.y(tenth / 10)
        parts.append(_line("axis", x=(LEFT - TICK, LEFT), y=(y, y)))
        parts.append(_text(LEFT - 10, round(y + 4), f"{tenth * 10}%", anchor="end"))
    return parts


def _dots(shown: Picture, scale: _Scale) -> list[str]:
    centres = [(scale.x(dot.cost_usd), scale.y(dot.quality)) for dot in shown.dots]
    edge = scale.y(shown.good_to)
    taken = [
        _Box(LEFT, edge - 1, RIGHT, edge + 1),
        *(_Box(x - 12, y - 12, x + 12, y + 12) for x, y in centres),
    ]
    parts = []
    for dot, (x, y) in zip(shown.dots, centres, strict=True):
        parts.append(f'<circle class="{dot.state}" cx="{x:.4g}" cy="{y:.4g}" r="{RADIUS}"/>')
        if dot.state is State.CHOSEN:
            parts.append(f'<circle class="ring" cx="{x:.4g}" cy="{y:.4g}" r="{RADIUS + 5}"/>')
        facts = f"{dot.quality:.0%}, {_usd(dot.cost_usd)}"
        lines = [(dot.name, "name"), (facts, ""), (dot.why, "why" if dot.state is not State.OUT else "")]
        box, anchor = _free_place(x, y, max(len(words) for words, _ in lines), taken)
        taken.append(box)
        at = {"start": box.left, "middle": x, "end": box.right}[anchor]
        for number, (words, kind) in enumerate(lines):
            parts.append(_text(round(at), round(box.top + 13 + number * LINE_HEIGHT), words, kind, anchor))
    return parts


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "_Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def _free_place(x: float, y: float, most_letters: int, taken: list[_Box]) -> tuple[_Box, str]:
    """Where a label of three lines meets nothing, right of its dot where that can be; and its text anchor."""
    width, height = most_letters * FONT_SIZE * 0.56, 3 * LINE_HEIGHT
    beside, above, below = y - height / 2, y - 14 - height, y + 14
    right, left, middle = (x + 18, "start"), (x - 18 - width, "end"), (x - width / 2, "middle")
    places = [
        (_Box(start, top, start + width, top + height), anchor)
        for (start, anchor), top in (
            (right, beside),
            (left, beside),
            (middle, below),
            (middle, above),
            (right, y + 4),
            (left, y - 4 - height),
        )
    ]
    for box, anchor in places:
        inside = box.left > LEFT and box.right < RIGHT and box.top > TOP - 20 and box.bottom < BOTTOM
        if inside and not any(box.overlaps(other) for other in taken):
            return box, anchor
    return places[0]


if __name__ == "__main__":
    PICTURE.write_text(drawn(golden_picture()))
