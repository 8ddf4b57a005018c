"""The file source on a real directory: what is read, when, and what stays after a mistake."""

import asyncio
from pathlib import Path
from typing import Self

from steelyard.api.resources import ResourceSet
from steelyard.files.problems import FilesError
from steelyard_gateway.sources import files

BACKEND = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {{name: {name}}}
spec: {{engine: VLLM, url: "http://{name}:8000"}}
"""

DEADLINE_SECONDS = 20


def write(path: Path, *names: str) -> None:
    path.write_text("---\n".join(BACKEND.format(name=name) for name in names))


def names(resources: ResourceSet | FilesError) -> set[str]:
    assert isinstance(resources, ResourceSet)
    return {name for _, name in resources.backends}


class Changes:
    """The changes of a directory, taken one at a time."""

    def __init__(self, directory: Path) -> None:
        self._taken: asyncio.Queue[ResourceSet | FilesError] = asyncio.Queue()
        self._source = files.FileSource(directory)

    async def __aenter__(self) -> Self:
        self.first = self._source.read()
        self._task = asyncio.create_task(self._follow(), name="follow")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async for change in self._source.changes():
            self._taken.put_nowait(change)

    async def next(self) -> ResourceSet | FilesError:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._taken.get()


def replace(path: Path, *backends: str) -> None:
    """Write as careful programs do: a new file in the place of the old."""
    write(path.with_suffix(".new"), *backends)
    path.with_suffix(".new").replace(path)


def test_a_changed_file_is_read_again_and_a_broken_one_leaves_the_last_good_set(tmp_path: Path) -> None:
    async def story() -> None:
        write(tmp_path / "a.yaml", "one")
        async with Changes(tmp_path) as changes:
            replace(tmp_path / "a.yaml", "one", "two")
            assert names(await changes.next()) == {"one", "two"}
            (tmp_path / "b.yaml").write_text("kind: [")
            refused = await changes.next()
            assert isinstance(refused, FilesError)
            assert refused.problems[0].file == tmp_path / "b.yaml"
            (tmp_path / "b.yaml").unlink()
            assert names(await changes.next()) == {"one", "two"}

    asyncio.run(story())


def test_a_mounted_config_map_is_followed_when_its_link_is_swapped(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}" / "a.yaml", f"version-{version}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")

    async def story() -> None:
        async with Changes(tmp_path) as changes:
            assert names(changes.first) == {"version-1"}
            (tmp_path / "..data_tmp").symlink_to("..2")
            (tmp_path / "..data_tmp").replace(tmp_path / "..data")
            assert names(await changes.next()) == {"version-2"}

    asyncio.run(story())


def test_a_directory_that_goes_and_comes_back_is_followed(tmp_path: Path) -> None:
    directory = tmp_path / "conf"
    directory.mkdir()
    write(directory / "a.yaml", "one")

    async def story() -> None:
        async with Changes(directory) as changes:
            directory.rename(tmp_path / "old")
            assert isinstance(await changes.next(), FilesError)
            directory.mkdir()
            write(directory / "a.yaml", "two")
            assert names(await changes.next()) == {"two"}

    asyncio.run(story())
