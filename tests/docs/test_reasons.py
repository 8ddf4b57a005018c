"""The tables of conditions name the reasons that the code gives: all of them, and no others."""

import re
from pathlib import Path

import pytest

from steelyard_operator import facts, freshness

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api"
OPERATOR, PROFILER = ROOT / "operator" / "steelyard_operator", ROOT / "operator" / "steelyard_profiler"
ROUTING, GATEWAY = ROOT / "core" / "steelyard" / "routing", ROOT / "gateway" / "steelyard_gateway"
MEMORY = ROOT / "core" / "steelyard" / "memory"
CLI_PROFILE = ROOT / "cli" / "steelyard_cli" / "profile.py"

FAILURE = r'\bFailure\(\s*"(\w+)"'

Pairs = set[tuple[str, str]]
"""A condition's type and a reason of it."""


def pairs(pattern: str, *files: Path) -> Pairs:
    """What the two groups of the pattern match in these files."""
    return {pair for file in files for pair in re.findall(pattern, file.read_text())}


def facts_in(*files: Path) -> Pairs:
    return pairs(r'Fact\(\s*"(\w+)",\s*(?:True|False|None),\s*"(\w+)"', *files)


def problems_of(name: str) -> Pairs:
    """What the compiled table and the gateway say of what they call by this name, or of any kind."""
    files = (ROUTING / "compiling.py", GATEWAY / "admin.py")
    of_all = pairs(r'Problem\(one[^")]*"(\w+)", "(\w+)"', GATEWAY / "sources" / "kubernetes.py")
    assert of_all
    return of_all | pairs(rf'problem\(\s*{name},\s*"(\w+)",\s*"(\w+)"', *files)


def failures_in(condition: str, *files: Path) -> Pairs:
    return {(condition, reason) for file in files for reason in re.findall(FAILURE, file.read_text())}


def well(*conditions: str) -> Pairs:
    return {(fact.type, fact.reason) for fact in facts.of_problems((), conditions)}


def of_runs(*more: Path) -> Pairs:
    files = [OPERATOR / name for name in ("runs.py", "profiles.py", "executing.py")]
    return failures_in("Succeeded", *files, *PROFILER.glob("*.py"), *more)


def of_backends() -> Pairs:
    unresolved = r'Unresolved\(\s*"(\w+)",\s*"(\w+)"'
    found = well("Accepted", "ResolvedRefs") | facts_in(OPERATOR / "backends.py") | problems_of("backend")
    found |= pairs(unresolved, ROUTING / "endpoints.py", ROUTING / "compiling.py")
    found |= failures_in("Reachable", OPERATOR / "probing.py")
    return found | facts_in(OPERATOR / "keepers.py") | of_memory()


def of_memory() -> Pairs:
    text = "".join(file.read_text() for file in MEMORY.glob("*.py"))
    return {("Loaded", reason) for reason in re.findall(r'\bProblem\(\s*"(\w+)"', text)}


def of_profiles() -> Pairs:
    found = well("Accepted", "ResolvedRefs") | problems_of("profile") | of_runs(CLI_PROFILE)
    found |= facts_in(OPERATOR / "profiles.py", PROFILER / "report.py")
    return found | {("Fresh", reason) for reason in ("Current", *freshness.STALE)}


def of_policies() -> Pairs:
    found = well("Accepted", "ResolvedRefs", "Ready") | problems_of("resource")
    return found | facts_in(OPERATOR / "policies.py", ROUTING / "precision.py")


def told(page: Path) -> Pairs:
    """What a page's table has: a condition, or as many as there are reasons, of which each has its own."""
    [table] = re.findall(
        r"^\| condition \| reason \| \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", page.read_text(), re.M
    )
    found = set()
    for row in table.splitlines():
        conditions, reasons = ([word.strip() for word in cell.split(",")] for cell in row.split("|")[1:3])
        types = [condition.partition("=")[0] for condition in conditions]
        of_each = types if len(types) > 1 else types * len(reasons)
        found |= set(zip(of_each, reasons, strict=True))
    return found


@pytest.mark.parametrize(
    ("page", "given"),
    [("llmbackend", of_backends()), ("modelprofile", of_profiles()), ("routingpolicy", of_policies())],
    ids=["LLMBackend", "ModelProfile", "RoutingPolicy"],
)
def test_the_reasons_of_a_kind_are_those_that_the_code_gives(page: str, given: Pairs) -> None:
    assert told(API / f"{page}.md") == given
