"""docs/moving.md: its resources are whole and good, and answer the names that clients asked for before."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.api.backend import LLMBackendSpec
from steelyard.api.policy import RoutingPolicySpec
from steelyard.files import reading
from steelyard.routing.compiling import compile_table
from steelyard.routing.table import Table

PAGE = (Path(__file__).parents[2] / "docs" / "moving.md").read_text()
SECTIONS = dict(re.findall(r"^## From (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
OURS = "apiVersion: steelyard.dev/"


def blocks(section: str, language: str = "yaml") -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)
    return found


def compiled(section: str, folder: Path) -> Table:
    """The table of a section's resources, which are without fault."""
    [text] = [block for block in blocks(section) if block.startswith(OURS)]
    (folder / "all.yaml").write_text(text)
    loaded = reading.load(folder)
    table, problems = compile_table(loaded.resources, "default")
    assert (loaded.warnings, problems) == ((), ())
    return table


def names(table: Table) -> set[str]:
    return {*table.models, *table.aliases, *table.policies}


def test_the_names_of_litellm_are_answered_by_the_servers_that_it_asked(tmp_path: Path) -> None:
    [theirs] = [yaml.safe_load(block) for block in blocks("LiteLLM") if not block.startswith(OURS)]
    table = compiled("LiteLLM", tmp_path)
    [policy] = table.policies["zephyr"]

    assert {one["model_name"] for one in theirs["model_list"]} <= names(table)
    first, last = ({pair.backend for pair in entry.candidates} for entry in policy.entries)
    assert (first, last) == ({"zephyr-1", "zephyr-2"}, {"openai"})
    asked = {one["litellm_params"].get("api_base") for one in theirs["model_list"]}
    text = SECTIONS["LiteLLM"]
    assert all(f"url: {url}\n" in text for url in asked if url)


def test_the_name_of_smarterrouter_is_answered(tmp_path: Path) -> None:
    [script] = blocks("SmarterRouter", "sh")
    theirs = dict(line.split("=", 1) for line in script.splitlines())
    table = compiled("SmarterRouter", tmp_path)

    assert theirs["ROUTER_EXTERNAL_MODEL_NAME"] in table.policies
    assert theirs["ROUTER_PINNED_MODEL"] in table.models
    mebibytes = int(float(theirs["ROUTER_VRAM_MAX_TOTAL_GB"]) * 1024)
    assert f"budgetMiB: {mebibytes}," in SECTIONS["SmarterRouter"]


def test_the_servers_of_nginx_are_tried_in_its_order(tmp_path: Path) -> None:
    section = "a load balancer for Ollama"
    [theirs] = blocks(section, "nginx")
    servers = re.findall(r"server (\S+)(.*);", theirs)
    [policy] = compiled(section, tmp_path).policies["llama3.1:8b"]

    tiers = [sorted(pair.backend for pair in entry.candidates) for entry in policy.entries]
    assert tiers == [["ollama-1", "ollama-2"], ["ollama-3"]]
    assert [("backup" in how) for _, how in servers] == [False, False, True]
    assert all(f"url: http://{server}\n" in SECTIONS[section] for server, _ in servers)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_in_the_tables_is_one_of_ours(section: str) -> None:
    fields = {*_fields(LLMBackendSpec.model_json_schema()), *_fields(RoutingPolicySpec.model_json_schema())}
    rows = re.findall(r"^\| .* \| (.*) \|$", SECTIONS[section], re.MULTILINE)[1:]
    named = {word for row in rows for word in re.findall(r"`([a-z]\w+(?:\.\w+)*)[`:]", row)}

    assert len(rows) > 8
    assert {word for word in named if not {*word.split(".")} <= fields} == set()


def _fields(schema: dict[str, Any]) -> set[str]:
    """The names of all fields of a schema, however deep."""
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}
