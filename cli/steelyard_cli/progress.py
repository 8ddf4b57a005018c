"""Bars on the terminal: one for each category of the model being measured, with its score so far."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from steelyard_cli import weighed
from steelyard_profiler.progress import Progress

OnProgress = Callable[[str, str, Progress], None]
"""Called with the model, its backend and how far its run is."""


@contextlib.contextmanager
def bars() -> Iterator[OnProgress]:
    """Show bars on stderr while the block runs; where that is no terminal, a line when a model begins."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[score]}"),
    )
    shown = Bars(*columns, console=console, disable=not console.is_terminal)
    current: list[tuple[str, str]] = []
    tasks: dict[str, TaskID] = {}

    def on_progress(model: str, backend: str, progress: Progress) -> None:
        if current != [(model, backend)]:
            current[:] = [(model, backend)]
            tasks.clear()
            shown.console.print(f"measuring {model} on {backend}", highlight=False, markup=False)
        name = str(progress.category or "Speed")
        if name not in tasks:
            tasks[name] = shown.add_task(f"  {name:<12}", total=progress.total, score="")
        score = weighed.score(progress.score) if progress.score else None
        shown.update(tasks[name], completed=progress.done, total=progress.total, score=str(score or ""))

    with shown:
        yield on_progress
