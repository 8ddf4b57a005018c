"""The pages: links lead somewhere, tables are up to date, commands and names are those of the code."""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import api_docs
from steelyard.files import reading
from steelyard.routing.compiling import compile_table
from steelyard_cli import __main__ as command_line
from steelyard_gateway import errors, parsing, paths, router, settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
README, QUICKSTART, GATEWAY = ROOT / "README.md", ROOT / "docs/quickstart.md", ROOT / "docs/gateway.md"
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`([\w./-]+)`:\n\n```(?:yaml|json)\n(.*?)```", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_lines(page: Path) -> Iterator[str]:
    for block in SHELL.findall(page.read_text()):
        yield from block.splitlines()


def files_of_the_quickstart() -> Mapping[str, str]:
    return dict(FILE.findall(QUICKSTART.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("page", sorted(api_docs.PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_the_tables_of_fields_are_those_of_the_types(page: Path) -> None:
    text = page.read_text()

    assert api_docs.renewed(text) == text, "run: make docs"


def test_every_kind_has_a_page_with_the_fields_of_spec_and_status() -> None:
    for kind in api_docs.KINDS:
        text = (api_docs.PAGES / f"{kind.__name__.lower()}.md").read_text()
        for part in ("spec", "status"):
            assert f"<!-- fields: {kind.__name__}.{part} -->\n{api_docs.table(kind, part)}" in text


@pytest.mark.parametrize("page", [README, QUICKSTART, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|\n)make ([a-z]+)", page.read_text()))

    assert named
    assert named <= targets


def test_the_readme_names_its_two_commands() -> None:
    lines = list(shell_lines(README))

    assert [line.split("#")[0].strip() for line in lines] == ["make demo", "make test"]


def test_every_command_of_the_quickstart_exists_and_refers_to_files_that_it_made() -> None:
    folders = {"conf"}
    for line in shell_lines(QUICKSTART):
        if line.startswith("steelyard "):
            _, word, *arguments = line.split()
            assert word in command_line.COMMANDS
            files = [one for one in arguments if "/" in one or "." in one or one in folders]
            assert set(files) <= folders | set(files_of_the_quickstart())
            sources = [one.removeprefix("file:") for one in arguments if one.startswith("file:")]
            assert set(sources) <= folders


def test_the_files_of_the_quickstart_are_good(tmp_path: Path) -> None:
    written = files_of_the_quickstart()
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    table, problems = compile_table(reading.load(tmp_path / "conf").resources, "default")

    assert problems == ()
    assert json.loads(written["request.json"])["model"] in table.policies


def test_every_flag_of_the_gateway_is_on_its_page_with_its_default() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    settings.add_arguments(parser, {})
    shown = [one for one in parser._actions if one.help != argparse.SUPPRESS]
    rows = re.findall(r"^\| `(--[\w-]+)` \| (\S* ?)\|", GATEWAY.read_text(), re.MULTILINE)

    assert [(flag, default.strip()) for flag, default in rows] == [
        (one.option_strings[0], str(one.default or "")) for one in shown
    ]


def test_every_path_of_the_gateway_is_on_its_page() -> None:
    page = GATEWAY.read_text()

    assert {path for path in parsing.NEEDS if f"`{path}`" not in page} == set()
    assert {place.label for place in paths.EXACT.values() if f"`{place.label}`" not in page} == set()


def test_every_error_code_is_on_the_gateways_page() -> None:
    def below(kind: type[errors.RequestError]) -> Iterator[type[errors.RequestError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    codes = {kind.code for kind in below(errors.RequestError)}

    assert router.NoModelCan.code in codes
    assert {code for code in codes if code not in GATEWAY.read_text()} == set()
