"""Calls are put together from their pieces and compared generously in form, strictly in content."""

import json
from typing import Any

import pytest

from steelyard_profiler import calls
from steelyard_profiler.answers import number
from steelyard_profiler.call_pieces import CallPieces
from steelyard_profiler.calls import CallCheck, Clock, Day, Place, Several, Thing, ToolSight, Wanted
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Template
from steelyard_profiler.probes import tools, tooluse
from steelyard_profiler.target import Call

ARGUMENTS = {
    "the number": (12, 12, True),
    "the number quoted": ("12", 12, True),
    "the number as a fraction": (12.0, 12, True),
    "the number with thousands": ("1,200", 1200, True),
    "another number": (13, 12, False),
    "no number": ("sNaN", 12, False),
    "a number without end": ("Infinity", 12, False),
    "a number with a unit": ("12 minutes", 12, False),
    "true for 1": (True, 1, False),
    "true": (True, True, True),
    "true quoted": ("True", True, True),
    "false for true": (False, True, False),
    "1 for true": (1, True, False),
    "the text": ("Ann", "Ann", True),
    "the text in other case": ("ann", "Ann", True),
    "the text with a stop": ("See you soon.", "see you soon", True),
    "the text with quotes": ('"see you soon"', "see you soon", True),
    "another text": ("Bob", "Ann", False),
    "more text": ("Ann Smith", "Ann", False),
    "a number for a text": (5, "five", False),
    "the place": ("oslo", Place("Oslo"), True),
    "the place and its country": ("Oslo, Norway", Place("Oslo"), True),
    "another place": ("Bergen", Place("Oslo"), False),
    "the thing": ("Tickets", Thing("tickets"), True),
    "the thing in the singular": ("ticket", Thing("tickets"), True),
    "the thing in the plural": ("tickets", Thing("ticket"), True),
    "another thing": ("trick", Thing("tickets"), False),
    "several in another order": ([2, 1], Several((1, 2)), True),
    "several less one": ([1], Several((1, 2)), False),
    "several and one more": ([1, 2, 1], Several((1, 2)), False),
    "one for several": (1, Several((1,)), False),
    "the day": ("2031-05-04", Day("2031-05-04"), True),
    "the day without zeros": ("2031-5-4", Day("2031-05-04"), True),
    "the day with a time": ("2031-05-04T00:00:00Z", Day("2031-05-04"), True),
    "the day in words": ("May 4, 2031", Day("2031-05-04"), True),
    "the day in words, day first": ("4th of May 2031", Day("2031-05-04"), True),
    "another day": ("2031-05-05", Day("2031-05-04"), False),
    "no day": ("tomorrow", Day("2031-05-04"), False),
    "the time": ("15:30", Clock("15:30"), True),
    "the time with seconds": ("15:30:00", Clock("15:30"), True),
    "the time of twelve hours": ("3:30 PM", Clock("15:30"), True),
    "the hour": ("3 p.m.", Clock("15:00"), True),
    "midnight": ("12:00 am", Clock("00:00"), True),
    "another time": ("03:30", Clock("15:30"), False),
    "no time": ("15", Clock("15:00"), False),
    "the list": (["a", "B"], ["a", "b"], True),
    "the list in another order": (["b", "a"], ["a", "b"], False),
    "the list joined": ("a, b", ["a", "b"], False),
    "a longer list": (["a", "b", "c"], ["a", "b"], False),
    "the object": ({"city": "oslo", "n": "2"}, {"n": 2, "city": Place("Oslo")}, True),
    "the object with null": ({"city": "Oslo", "zip": None}, {"city": Place("Oslo")}, True),
    "the object with more": ({"city": "Oslo", "zip": "1"}, {"city": Place("Oslo")}, False),
    "the object with less": ({}, {"city": Place("Oslo")}, False),
    "a text for the object": ("Oslo", {"city": Place("Oslo")}, False),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_is_compared_by_what_it_means(case: str) -> None:
    found, wanted, right = ARGUMENTS[case]

    assert calls.same_argument(found, wanted) is right


OSLO, LIMA = Wanted("get_weather", {"city": Place("Oslo")}), Wanted("get_weather", {"city": Place("Lima")})
EVENT = Wanted("create_event", {"title": "chess"}, {"minutes": 60})


def call(name: str, **arguments: object) -> Call:
    return Call(name, json.dumps(arguments))


CALLS: dict[str, tuple[list[Call], list[Wanted], bool]] = {
    "the call": ([call("get_weather", city="Oslo")], [OSLO], True),
    "with an optional one null": ([call("get_weather", city="Oslo", unit=None)], [OSLO], True),
    "with an optional one made up": ([call("get_weather", city="Oslo", unit="celsius")], [OSLO], False),
    "with the default said": ([call("create_event", title="chess", minutes=60)], [EVENT], True),
    "with another than the default": ([call("create_event", title="chess", minutes=30)], [EVENT], False),
    "with its arguments encoded twice": (
        [Call("get_weather", json.dumps('{"city": "Oslo"}'))],
        [OSLO],
        True,
    ),
    "two in another order": (
        [call("get_weather", city="Lima"), call("get_weather", city="Oslo")],
        [OSLO, LIMA],
        True,
    ),
    "of another tool": ([call("get_time", city="Oslo")], [OSLO], False),
    "without its argument": ([call("get_weather")], [OSLO], False),
    "with the argument misnamed": ([call("get_weather", town="Oslo")], [OSLO], False),
    "with arguments that are no JSON": ([Call("get_weather", "city=Oslo")], [OSLO], False),
    "with arguments that are cut": ([Call("get_weather", '{"city": "Os')], [OSLO], False),
    "with arguments that are a list": ([Call("get_weather", '["Oslo"]')], [OSLO], False),
    "with arguments deep beyond reason": ([Call("get_weather", "[" * 100_000)], [OSLO], False),
    "twice": ([call("get_weather", city="Oslo")] * 2, [OSLO], False),
    "and a wrong one": ([call("get_weather", city="Oslo"), call("get_time", city="Oslo")], [OSLO], False),
    "one of two": ([call("get_weather", city="Oslo")], [OSLO, LIMA], False),
    "one of two twice": ([call("get_weather", city="Oslo")] * 2, [OSLO, LIMA], False),
    "none": ([], [OSLO], False),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_right_one_for_one(case: str) -> None:
    made, wanted, right = CALLS[case]

    assert calls.called(*wanted).judges("", made) is right


NO_CALL = {
    "the answer": ("7", [], True),
    "a wrong answer": ("8", [], False),
    "nothing": ("", [], False),
    "the answer and a call": ("7", [call("get_weather", city="Oslo")], False),
    "a call as text": ('{"name": "get_weather", "arguments": {"city": "Oslo"}}', [], False),
}


@pytest.mark.parametrize("case", NO_CALL)
def test_where_no_tool_fits_the_answer_counts_and_a_call_fails(case: str) -> None:
    text, made, right = NO_CALL[case]

    assert calls.uncalled(number(7, 3, 4)).judges(text, made) is right


def piece(arguments: object = "", name: str | None = None, **fields: object) -> dict[str, object]:
    function: dict[str, object] = {"arguments": arguments} | ({"name": name} if name else {})
    return {"function": function, **fields}


A, B = Call("a", '{"x": 1}'), Call("b", '{"y": 2}')
STREAMS: dict[str, list[list[Any]]] = {
    "in pieces": [[piece(name="a", index=0, id="1")], [piece('{"x"', index=0)], [piece(": 1}", index=0)]],
    "whole": [[piece('{"x": 1}', "a", index=0, id="1")]],
    "as an object": [[piece({"x": 1}, "a", index=0)]],
    "without an index": [[piece('{"x"', "a", id="1")], [piece(": 1}")]],
    "with the id repeated": [[piece('{"x"', "a", index=0, id="1")], [piece(": 1}", index=0, id="1")]],
    "with id and name repeated": [
        [piece('{"x"', "a", index=0, id="1")],
        [piece(": 1}", "a", index=0, id="1")],
    ],
    "without arguments at first": [
        [{"index": 0, "id": "1", "function": {"name": "a"}}],
        [piece('{"x": 1}', index=0)],
    ],
    "among what is none": [[None, 1, {"function": 2}], [piece('{"x": 1}', "a", index=0)], []],
}
TWO_STREAMS: dict[str, list[list[Any]]] = {
    "by index": [[piece('{"x": 1}', "a", index=0), piece('{"y"', "b", index=1)], [piece(": 2}", index=1)]],
    "with one index": [[piece('{"x": 1}', "a", index=0, id="1")], [piece('{"y": 2}', "b", index=0, id="2")]],
    "with one index in pieces": [
        [piece('{"x": 1}', "a", index=0, id="1")],
        [piece('{"y"', "b", index=0, id="2")],
        [piece(": 2}", index=0)],
    ],
    "without index or id": [[piece('{"x": 1}', "a"), piece('{"y": 2}', "b")]],
    "in turns": [
        [piece('{"x"', "a", index=0, id="1"), piece('{"y"', "b", index=1, id="2")],
        [piece(": 1}", index=0), piece(": 2}", index=1)],
    ],
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_call_is_put_together(case: str) -> None:
    pieces = CallPieces()
    said = "".join(pieces.take(event) for event in STREAMS[case])

    assert pieces.whole() == (A,)
    assert said == A.name + A.arguments


@pytest.mark.parametrize("case", TWO_STREAMS)
def test_two_calls_are_kept_apart(case: str) -> None:
    pieces = CallPieces()
    for event in TWO_STREAMS[case]:
        pieces.take(event)

    assert pieces.whole() == (A, B)


def test_calls_without_end_are_left_out() -> None:
    pieces = CallPieces()
    for index in range(1000):
        pieces.take([piece("{}", "a", index=index)])

    assert len(pieces.whole()) == 64


AS_TEXT = {
    "as JSON": '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
    "with parameters": '<tool_call>{"name": "get_weather", "parameters": {}}</tool_call>',
    "as a tag": "<function=get_weather>{}</function>",
    "as Python": '[get_weather(city="Oslo")]',
}


@pytest.mark.parametrize("case", AS_TEXT)
def test_a_call_as_text_is_seen_and_is_no_call(case: str) -> None:
    sight, check = ToolSight(), calls.called(OSLO)
    for _ in range(calls.ENOUGH_TO_TELL):
        sight.see(check, [tools.WEATHER], AS_TEXT[case], is_right=check.judges(AS_TEXT[case], ()))

    assert sight.as_text == calls.ENOUGH_TO_TELL
    assert sight.can_call is False


def test_one_right_call_shows_that_a_model_calls_and_few_answers_show_nothing() -> None:
    sight, check = ToolSight(), calls.called(OSLO)
    sight.see(check, [tools.WEATHER], "I will get_weather for you.", is_right=False)

    assert sight.can_call is None and sight.as_text == 0

    sight.see(check, [tools.WEATHER], "", is_right=True)

    assert sight.can_call is True


EVERY = [template for templates in tooluse.TEMPLATES.values() for template in templates]


@pytest.mark.parametrize("template", EVERY, ids=lambda template: template.__name__)
def test_each_template_makes_valid_tasks(template: Template) -> None:
    tasks = [template(Draws("tooluse", seed)) for seed in range(60)]

    assert len({task.question for task in tasks}) >= 16
    for task in tasks:
        check = task.check
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in task.tools}
        assert isinstance(check, CallCheck)
        assert check.judges(check.example, check.calls), task
        assert not check.judges("I do not know.", ()), task
        assert len(offered) == len(task.tools) >= 2
        for made in check.calls:
            given = json.loads(made.arguments)
            parameters = offered[made.name]
            assert {*parameters["required"]} <= given.keys() <= parameters["properties"].keys(), task
