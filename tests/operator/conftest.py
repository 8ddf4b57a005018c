"""The operator's loop as its tests run it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.operated import DiscoverableApiServer, Tale, operate


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DiscoverableApiServer]:
    """Tells tales, each beside an operator of its own."""

    def told(*tales: Tale, **settings: Any) -> DiscoverableApiServer:
        return operate(*tales, folder=tmp_path, patch=monkeypatch, **settings)

    return told
