"""All profiles of a namespace in one picture: quality over price, with speed as the area of the points.

Invariant: a model that was not measured is named under the picture, not drawn at 0.
"""

from collections.abc import Sequence
from math import pi, sqrt
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from steelyard_cli.weighed import Weighed

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 9.0, 5.5, 150

MOST_AREA = 400.0
"""Of the fastest model's point, in square points (1/72 inch)."""

LEAST_AREA = 20.0
"""Of a point whose speed is far below the fastest, or not known."""

COLORS = ("#0969da", "#1a7f37", "#bc4c00", "#8250df", "#cf222e", "#9a6700", "#1b7c83", "#57606a")
"""In turn."""


def draw(found: Sequence[Weighed], path: Path) -> None:
    """Write the picture; its ending says in which format, as .png or .svg. Raises ValueError and OSError."""
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    drawn = [one for one in found if one.overall is not None]
    _draw_points(axes, drawn)
    axes.set_title("Quality, price and speed of the models that were measured", loc="left", weight="bold")
    axes.set_ylim(0, 100)
    axes.set_ylabel("passed probes in %, mean of the categories (bar: 95 % interval)")
    axes.grid(visible=True, alpha=0.25)
    left_out = [f"{one.model} on {one.backend}" for one in found if one.overall is None]
    if left_out:
        figure.supxlabel(f"Not measured: {', '.join(left_out)}", fontsize=8)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "steelyard"}):
        figure.savefig(path)


def _draw_points(axes: Axes, drawn: Sequence[Weighed]) -> None:
    dollars = [_dollars(one) for one in drawn]
    least, most = min((one for one in dollars if one), default=1.0), max(dollars, default=0.0) or 1.0
    axes.set_xscale("symlog", linthresh=least)
    axes.set_xlim(left=-least / 4, right=6 * most)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value else "no price"))
    axes.set_xlabel("USD per million output tokens")
    fastest = max((one.tokens_per_second or 0 for one in drawn), default=0)
    for at, (one, x) in enumerate(zip(drawn, dollars, strict=True)):
        score, speed, color = one.overall, one.tokens_per_second, COLORS[at % len(COLORS)]
        assert score is not None
        if score.low is not None and score.high is not None:
            axes.vlines(x, score.low, score.high, color=color, linewidth=1.5)
        area = max(LEAST_AREA, MOST_AREA * speed / fastest) if speed else LEAST_AREA
        axes.scatter([x], [score.percent], s=area, color=color, alpha=0.45)
        told = f"{one.model}\n{one.backend}" + (f", {speed} tok/s" if speed else "")
        axes.annotate(
            told,
            (x, score.percent),
            (4 + sqrt(area / pi), 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def _dollars(one: Weighed) -> float:
    return float(one.price.output_usd_per_million_tokens) if one.price else 0.0
