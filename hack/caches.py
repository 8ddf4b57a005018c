"""Where what is fetched or built once is kept."""

import os
from pathlib import Path


def folder(name: str) -> Path:
    """The part of this name of our folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "steelyard" / name
