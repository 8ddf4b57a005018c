"""docs/troubleshooting.md has a heading for every reason and code that users meet, and for no others."""

import re
from collections.abc import Iterator
from pathlib import Path

from docs import test_reasons as reasons
from steelyard_cli.doctor import resources
from steelyard_gateway import errors, router

PAGE = (reasons.ROOT / resources.PAGE).read_text()
NOTE = r'\bNote\(\s*NoteType\.\w+,\s*"(\w+)"'


def of_conditions() -> set[str]:
    """Each reason of a condition that the code gives."""
    given = reasons.of_backends() | reasons.of_profiles() | reasons.of_policies() | reasons.of_runs()
    return {reason for _, reason in given}


def of_events() -> set[str]:
    """Each reason of an Event that is written down as such; the others repeat a condition's."""
    files = Path(reasons.OPERATOR).glob("*.py")
    return {reason for file in files for reason in re.findall(NOTE, file.read_text())}


def of_errors() -> set[str]:
    """Each code of an error that a gateway answers."""

    def below(kind: type[errors.RequestError]) -> Iterator[type[errors.RequestError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    assert router.NoModelCan.code
    return {kind.code for kind in below(errors.RequestError)}


def headings() -> list[str]:
    return re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)


def harmless() -> set[str]:
    """What is listed as being well."""
    [section] = re.findall(r"^## Nothing is wrong\n\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    return {reason for line in section.splitlines() for reason in re.findall(r"`([A-Z]\w+)`", line)}


def test_every_reason_and_every_code_has_a_heading_and_there_are_no_others() -> None:
    given = of_conditions() | of_events() | of_errors()

    assert len(given) > 80
    assert given - set(headings()) - harmless() == set()
    assert (set(headings()) | harmless()) - given == set()


def test_a_heading_is_there_once_and_says_something() -> None:
    assert len(headings()) == len({heading.lower() for heading in headings()})
    texts = re.findall(r"^### \S+\n(.*?)(?=\n#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert [text for text in texts if len(text.split()) < 5] == []


def test_what_is_well_is_not_among_what_is_wrong() -> None:
    assert harmless() & set(headings()) == set()


def test_what_the_doctor_takes_for_passing_are_reasons_that_there_are() -> None:
    assert set(headings()) >= resources.PASSING
