"""Which one of the values found in an answer the answer says. Pure.

A guess among many says nothing. The rules, in this order:
Rule 1. What is denied ("not 12", "rather than 12") or a bound ("more than 12") is not said.
Rule 2. What takes back the value before it is said ("I think 12. No, 7").
Rule 3. What is marked as the answer ("the answer is", "Answer:", \\boxed, ####) is said: the final one where
        that word is used, else the only one, else the last one if the text corrects itself on the way.
Rule 4. "12 or 13", "12, maybe 13" and "12 and 7", 7 being the question's, say nothing.
Rule 5. The one value of a last sentence that draws a conclusion ("so", "in total", "wait") is said.
Rule 6. The value that stands alone at the beginning, with an explanation in words after it, is said.
Rule 7. The one value in bold is said; then the last value where it is a result ("= 12", "gives 12").
Rule 8. Else the only value that the question did not contain; else the only value at all.
"""

import re
from collections.abc import Sequence, Set
from itertools import pairwise

from steelyard_profiler.numerals import Found

_DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|without|except|rather than|instead of|other than|cannot|anything but)"
    r"|(?:is|was|are|were|do|does|did|has|ca|could|would|wo)n['’]?t)\b"
    r"(?:[\s:\"'`(*\x01]+(?:the|an?|be|is|in|by|at|on|to|lines?|number|value|list|order|output|answer|necessarily"
    r"|exactly|really|quite|even|certainly|definitely|only|print|output|give|return|equal|mean|make|say)\b)*[\s:\"'`(*\x01]*$"
    r"|\b(?:(?:do|does|did|ca|would)n['’]?t|not) (?:think|believe|say|mean)\b[^.!?,;\n]{0,30}$"
    r"|\bi (?:really |very much )?doubt\b[^.!?,;\n]{0,30}$"
    r"|\b(?:wrong|incorrect|false) answer(?: is| would be|:)[\s\"'`(*\x01]*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\"'`*)\x01]*\s+(?:(?:is|was|are|were|does|did|has|can|could|will)\s+not\b"
    r"|(?:is|was|are|does|did|has|ca|could)n['’]?t\b"
    r"|cannot\b|(?:is|would be|seems) (?:wrong|incorrect|false|ruled out|impossible)"
    r"|or (?:more|less|fewer|so)\b|at (?:most|least)\b)|[\"'`*)\x01?.!,]*\s+(?:but )?i (?:really )?doubt\b",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:(?:more|less|fewer|greater|larger|smaller|higher|lower|bigger) than|at (?:most|least)|up to|almost"
    r"|nearly|between \S{1,12} and)\s*[\"'(*\x01]*$",
    re.IGNORECASE,
)
"""Stands before a number that is no more than a bound."""

_BARE_GAP = re.compile(r"(?:[\s,;&?!.\x01]|\b(?:and|or)\b)*", re.IGNORECASE)
_PAIR = re.compile(r"[\"'*\x01]*(?:,?\s+(?:and|&)\s+|\s*[?]\s*)(?:the\s+)?[\"'*\x01]*", re.IGNORECASE)
_CORRECTS = re.compile(
    r"\W+(?:(?:oh|but|no|wait|actually|sorry|rather|i mean|correction|hmm)\b\W+)+"
    r"(?:(?:it|that|this)(?:['’]s| is| must be| should be|(?= an? ))\s+)?(?:(?:the|an?)\s+)?[\"'*\x01]*",
    re.IGNORECASE,
)
_UNSURE_AFTER = re.compile(
    r"\W*\b(?:or|maybe|perhaps|possibly)\s+(?:\w+\s+){0,2}\w+[^\w\n]*\Z", re.IGNORECASE
)
"""A second guess that is no value known here."""

_ANSWER = re.compile(
    r"(?:\b(?P<final>final|correct|right)?\s*(?:answer|solution|conclusion)\b"
    r"(?:[^.\n]{0,40}?(?:\bis|\bare|\bbe|:|=|→)|(?=[^\w,;.]+$))|(?P<box>boxed\{)|\#{4})"
    r"\W{0,8}(?:(?:the|an?|exactly|just|therefore|in)\s+)?(?:[a-z]\s*=\s*)?\W{0,3}$",
    re.IGNORECASE,
)
_ANSWER_AFTER = re.compile(
    r"[\"'*)}\]]*(?:\s+[a-z]+)?\s+(?:is|must be) (?:the|my|our) "
    r"(?:final |right |correct )?(?:answer|solution)\b",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"(?:=|≡|≈|→|->|⇒|\b(?:equals|is|are|was|becomes|gives|makes|leaves|leaving|gets?|has|have|had|total of|"
    r"comes? to|result(?:s in|ing in)?|total|sum|remain(?:s|ing)?:?)\b"
    r"(?:\s+(?:us|you|exactly|just|now|still|the|an?|only))*)\W{0,6}$",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"^\W*(?:and\s+)?(?:so|therefore|thus|hence|in total|in all|altogether|finally|in the end|consequently|"
    r"this means|that means|which means|overall|in conclusion|wait|no(?=,)|actually|sorry|correction|"
    r"i mean)\b",
    re.IGNORECASE,
)
_COMES_TO = re.compile(r"[\s\d+\-*/×÷·().&|^]{0,40}[=≡]\W{0,3}")
"""Stands between a value of a formula and what the formula comes to."""

_CORRECTION = re.compile(
    r"\b(?:wait|no|actually|sorry|correction|mistake|instead|re-?check|i mean|wrong|incorrect|however|hmm|"
    r"let me)\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:or|alternatively|maybe|perhaps|possibly|might|may|could|also|either|options?)\b", re.IGNORECASE
)
_ENDS_ITEM = re.compile(r"[\"'*)}\]]*\s*(?:[.,;/|\n]|\Z)")
_LISTING = re.compile(r"(?:\s|[,;/|&.:!?]|\b(?:and|or)\b|[-–—•*])*", re.IGNORECASE)
_FORMULA = re.compile(
    r"\s*[)}\]]?\s*(?:[+*/×÷^=·]|[-–](?=\s*[\d(])|\\times|\\cdot|\\div"
    r"|(?:times|plus|minus|over|divided by|multiplied by)\s)"
)
_EXPLAINS = re.compile(
    r"[\"'*)}\]]*(?:\s*(?:[.!;:\n(—–]|\Z)|\s+-\s|,?\s+(?:because|since|as|who|which|not)\b"
    r"|,\s+(?:the|this|that|it|its|he|she|they|there|we|you)\b)"
)
_NOUN = re.compile(
    r"(?:\s*[°%€]|\s*[A-Za-z²³/]{1,14}(?=\s?[.!\n(]|\Z)"
    r"|\s+[a-z]{1,14}(?:\s+[a-z]{1,14})?(?=\s?[.!\n(]|\Z))"
)
_LEAD_IN = re.compile(
    r"\W*(?:(?:it|that|this|there|he|she)(?:['’]s| is| are| was| must be))?\W*", re.IGNORECASE
)
_BOLD = "\x01"
"""Stands before and after what was bold; `spoken` puts it there."""

_NEAR = 48
"""Characters between two values that may hold one hedge."""


def said(text: str, every: Sequence[Found], given: Set[object]) -> object:
    """The value that the text says, None where it says none; `given` are the values of the question."""
    found = [one for one in every if not is_denied(text, one.start, one.end) and not _is_bound(text, one)]
    if not found:
        return None
    if len(found) > 1 and corrects(text, found[-2].end, found[-1].start):
        return found[-1].value
    marked = [one for one in (_marked(text, at, found, given) for at in range(len(found))) if one]
    if marked:
        return _agreed(text, marked, found, given)
    if _hedged(text, found) or _is_pair(text, found, given):
        return None
    for rule in (_concluded, _alone, _bold, _result):
        if (value := rule(text, found, given)) is not None:
            return value
    new = {one.value for one in found} - given
    distinct = new or {one.value for one in found}
    return next(iter(distinct)) if len(distinct) == 1 else None


def is_denied(text: str, start: int, end: int | None = None) -> bool:
    """Whether the text says that this part of it is not the answer: "not 12", "I don't think it is 12".

    With its end also by what follows: "12 is wrong".
    """
    is_before = _DENIED.search(text[max(0, start - 60) : start])
    return bool(is_before or (end is not None and _DENIED_AFTER.match(text, end)))


def _is_bound(text: str, one: Found) -> bool:
    return not isinstance(one.value, str) and bool(_BOUND.search(text[max(0, one.start - 32) : one.start]))


def corrects(text: str, start: int, end: int) -> bool:
    """Whether what stands between two values makes the second replace the first: "12. No, wait, it is 7"."""
    return bool(_CORRECTS.fullmatch(text, start, end))


def _is_pair(text: str, found: Sequence[Found], given: Set[object]) -> bool:
    """Whether a value of the question is offered beside a new one: "Friday and Sunday", "7? 12?"."""
    if len({one.value for one in found}) < 2:
        return False
    ends = [0, *(one.end for one in found)], [*(one.start for one in found), len(text)]
    if all(_BARE_GAP.fullmatch(text, end, start) for end, start in zip(*ends, strict=True)):
        return True
    one, two = found[-2:]
    is_pair = one.value != two.value and one.value not in given and _PAIR.fullmatch(text, one.end, two.start)
    return bool(is_pair and re.match(r"[\"'*)}\]\x01]*\s*(?:[.!?]|\Z)", text[two.end :]))


def _marked(text: str, at: int, found: Sequence[Found], given: Set[object]) -> Found | None:
    """The value that the mark before the at-th value marks; behind a formula, that is what it comes to."""
    one = found[at]
    before = text[max(0, one.start - 70) : one.start]
    if _ANSWER_AFTER.match(text, one.end):
        return one
    if not _ANSWER.search(_ANSWER_AFTER.split(before)[-1]):
        return None
    if not _FORMULA.match(text, one.end):
        return one
    end = re.compile(r"\n|[.!?](?:\s|\Z)|\Z").search(text, one.end)
    last = [other for other in found[at:] if end is None or other.start < end.start()][-1]
    return last if _RESULT.search(text[one.end : last.start]) else None


def _agreed(text: str, marked: list[Found], found: Sequence[Found], given: Set[object]) -> object:
    finals = [one for one in marked if _is_final(text, one)]
    chosen = finals or marked
    first_other = next((one for one in reversed(chosen) if one.value != chosen[-1].value), None)
    if first_other and not _CORRECTION.search(text, first_other.end, chosen[-1].start):
        return None
    last = chosen[-1]
    at = next(n for n, one in enumerate(found) if one.start == last.start)
    run = [last]
    for step in (1, -1):
        here = at
        while 0 <= here + step < len(found):
            one, two = sorted((found[here], found[here + step]), key=lambda value: value.start)
            if not _joined(text, one, two):
                break
            run.append(found[here + step])
            here += step
    if len(run) == 1:
        return last.value
    new = {one.value for one in run} - given or {one.value for one in run}
    return new.pop() if len(new) == 1 else None


def _joined(text: str, one: Found, two: Found) -> bool:
    """Whether two values are items of one list; behind a full stop only if nothing is said of the second."""
    between = text[one.end : two.start]
    if _is_hedge(between):
        return True
    is_stop = re.search(r"[.:!?\n]", between)
    return bool(_LISTING.fullmatch(between) and (not is_stop or _ENDS_ITEM.match(text, two.end)))


def _is_final(text: str, one: Found) -> bool:
    match = _ANSWER.search(text[max(0, one.start - 70) : one.start])
    return bool(match and (match["final"] or match["box"]))


def _hedged(text: str, found: Sequence[Found]) -> bool:
    if _UNSURE_AFTER.match(text, found[-1].end):
        return True
    return any(
        one.value != two.value and _is_hedge(text[one.end : two.start]) for one, two in pairwise(found)
    ) and not _CONCLUSION.match(_last_sentence(text, found[-1])[1])


def _is_hedge(between: str) -> bool:
    return len(between) <= _NEAR and bool(_OPEN.search(between))


def _last_sentence(text: str, last: Found) -> tuple[int, str]:
    """Where the sentence with this value begins, and the sentence."""
    begin = max((match.end() for match in re.finditer(r"[.!?](?=\s)|\n", text[: last.start])), default=0)
    return begin, text[begin:]


def _concluded(text: str, found: Sequence[Found], given: Set[object]) -> object:
    begin, sentence = _last_sentence(text, found[-1])
    inline = re.search(
        r"(?:,|\band|—|-)\s+(?:so|therefore|thus|hence)\s", text[begin : found[-1].start], re.I
    )
    if inline:
        begin += inline.start()
    elif not (begin and _CONCLUSION.match(sentence)):
        return None
    concluding = [one for one in found if one.start >= begin]
    values = {one.value for one in concluding}
    new = values - given or values
    if len(new) != 1:
        return _result(text, found, given)
    first, last = next(one for one in concluding if one.value in new), found[-1]
    return last.value if _COMES_TO.fullmatch(text, first.end, last.start) else new.pop()


def _alone(text: str, found: Sequence[Found], given: Set[object]) -> object:
    first = found[0]
    is_echo = first.value in given and any(one.value not in given for one in found)
    if is_echo or not _LEAD_IN.fullmatch(text, 0, first.start):
        return None
    noun = _NOUN.match(text, first.end) if not isinstance(first.value, str) else None
    end = noun.end() if noun and first.value not in given else first.end
    if not _EXPLAINS.match(text.replace(_BOLD, "*"), end):
        return None
    until = next((one.start for one in found if one.value != first.value), len(text))
    after, least = re.sub(r"\band\b", "", text[end:until], flags=re.IGNORECASE), r"[a-z]{3}"
    if re.match(r"\W*\(", after):
        after = "".join(re.split("|".join(re.escape(text[one.start : one.end]) for one in found), text[end:]))
        least = r"[a-z]|[*/×÷+=]"
    if _CORRECTION.search(after) or _OPEN.search(after) or not re.search(least, after, re.IGNORECASE):
        return None
    return first.value


def _bold(text: str, found: Sequence[Found], given: Set[object]) -> object:
    spans = [match.span() for match in re.finditer(f"{_BOLD}[^{_BOLD}\n]{{1,60}}{_BOLD}", text)]
    values = {one.value for one in found if any(start < one.start < end for start, end in spans)}
    return values.pop() if len(values) == 1 and len(spans) == 1 else None


def _result(text: str, found: Sequence[Found], given: Set[object]) -> object:
    """The last value, if a word of results stands before it and the same words led to no other."""
    last = found[-1]
    before = max((one.end for one in found if one.value != last.value), default=last.start)
    if not _RESULT.search(text[max(0, last.start - 40) : last.start]) or _is_hedge(text[before : last.start]):
        return None
    leads = [(_lead(text, found, at), one.value) for at, one in enumerate(found)]
    if leads[-1][0] and any(lead == leads[-1][0] and value != last.value for lead, value in leads):
        return None
    return last.value


def _lead(text: str, found: Sequence[Found], at: int) -> str:
    """The words between a value and the boundary before it, a sentence's or another value's.

    A value belongs to the letter right behind it ("7x"), and a short word behind a space is its unit.
    """
    begin = found[at - 1].end if at else 0
    if at and text[begin].isalpha():
        begin = found[at - 1].start
    elif at and (unit := re.match(r"\s[A-Za-z²³/]{1,3}(?![\w'’])", text[begin:])):
        begin += unit.end()
    sentence = re.split(r"[.!?,;\n]", text[max(begin, found[at].start - 60) : found[at].start])[-1]
    return " ".join(re.findall(r"\d*[a-z]+", sentence.lower()))


_FENCE_LINE = re.compile(r"^```[\w-]*\s*$", re.MULTILINE)
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\u200b-\u200d\u2060\ufeff\u00ad]")


def after_thoughts(answer: str) -> str:
    """The answer without what stands between <think> marks, or before one that only ends."""
    text = _THOUGHT.sub("", answer)
    return text.rsplit("</think>", 1)[1] if "</think>" in text else text


def visible(answer: str) -> str:
    """The answer without thoughts between <think> marks, with plain spaces and nothing invisible."""
    text = after_thoughts(answer.replace("\r\n", "\n"))
    return _SPACES.sub(" ", _INVISIBLE.sub("", text)).strip()


def spoken(answer: str) -> str:
    """The visible answer without LaTeX, HTML, fences and quotes round the whole; bold becomes a mark."""
    thin = re.sub(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))", "", answer)
    text = _FENCE_LINE.sub("", visible(thin).replace("\u2212", "-"))
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<=\w)(?=\\[dt]?frac)", " ", text)
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}", r"\1/\2", text)
    text = re.sub(r"(?<=\d)(?:\\[,!]|\{,\})(?=\d{3})", "", text)
    text = re.sub(r"<answer>\s*", "Answer: ", text, flags=re.IGNORECASE)
    text = re.sub(r"</?[a-z]+/?>", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\*\*|__", _BOLD, text)
    text = re.sub(r"[`$]|\\[()\[\] ]", "", text)
    if re.fullmatch(r"\W*\d{1,3}(?: \d{3})+\D*", text):
        text = re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", text)
    return text.strip().strip("\"'“”„«»‘’").strip()
