"""Top-level keys of a JSON body that an engine could read otherwise than the gateway.

Go's decoder, which Ollama has, is blind to case, and of keys that read the same the last counts: a body with
`model` and `MODEL` would be judged by one and answered by the other. Invariant: a body in which two top-level
keys read as the same of `NAMES` is refused, and the span of `model` comes from the same scan.
"""

import re
from collections.abc import Iterator

import msgspec

from steelyard_gateway.errors import BadRequest

NAMES = ("model", "stream", "keep_alive", "options")
"""What must not be there twice: the gateway decides by it, or edits it."""

FOLDED = {"s": "sSſ", "k": "kK\u212a", "st": "\ufb05\ufb06"}
"""Every character that folds to a letter of these names but its capital, from Unicode's CaseFolding.txt."""

MOST_KEYS = 1000
"""Where the plain scan does not suffice, so many top-level keys are looked at; no API has a tenth of them."""

LONG_BYTES = 16_384
"""A longer body is searched from quote to quote first."""

MOST_HOPS = 256
"""After so many quotes it is no prose, and a scan is faster."""

_MODEL = NAMES[0]
_QUOTE = b'"'


def model_span(body: bytes) -> tuple[int, int]:
    """Where the string value of the top-level `model` stands, quotes included.

    The body must be a valid JSON object with such a key, else the result means nothing. Raises BadRequest
    where one of `NAMES` is there twice. One scan suffices where each occurs once at whatever depth.
    """
    start, seen = 0, 0
    for found in _READS_AS_NAME.finditer(body) if len(body) < LONG_BYTES else _hopped(body):
        if body[found.start() - 1] == _BACKSLASH:
            continue
        bit = 1 << found.lastindex  # type: ignore[operator]
        if seen & bit:
            return _model_span_by_keys(body)
        seen |= bit
        if bit == _MODEL_BIT:
            start = found.end()
    end = body.find(b'"', start + 1) + 1
    if body.find(b"\\", start, end) >= 0:
        end = _end_of_string(body, start)
    return start, end


def _hopped(body: bytes) -> Iterator[re.Match[bytes]]:
    """The same matches in a long body: what is mostly prose has few quotes, and each is found in C."""
    position = body.find(_QUOTE)
    for _ in range(MOST_HOPS):
        if position < 0:
            return
        found = _READS_AS_NAME.match(body, position)
        if found is not None:
            yield found
        position = body.find(_QUOTE, position + 1)
    if position >= 0:
        yield from _READS_AS_NAME.finditer(body, position)


def _model_span_by_keys(body: bytes) -> tuple[int, int]:
    """The same by looking at each top-level key."""
    seen: set[str] = set()
    span = (0, 0)
    for text, start, end in _top_level(body):
        name = text.casefold()
        if name in seen:
            raise BadRequest(f"The body has several keys that read as {name!r}: keep one.", param=name)
        if name in NAMES:
            seen.add(name)
        if name == _MODEL:
            span = (start, end)
    return span


def _top_level(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Each key, unescaped, with the span of its value. Raises BadRequest where they are too many."""
    position = 0
    for key, value in _decoded(body).items():
        found = _KEY.match(body, position)
        assert found is not None
        position = found.end() + len(memoryview(value))
        yield key.text, found.end(), position


class _Key:
    """A key as an object of its own, so that equal ones do not fall together in a dict."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _decoded(body: bytes) -> dict[_Key, msgspec.Raw]:
    left = iter(range(MOST_KEYS))

    def note(_: type, text: str) -> _Key:
        if next(left, None) is None:
            raise BadRequest(f"The body has more than {MOST_KEYS} keys.")
        return _Key(text)

    try:
        return msgspec.json.decode(body, type=dict[_Key, msgspec.Raw], dec_hook=note)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("The body is not valid JSON: a key is not valid UTF-8.") from None


def _end_of_string(body: bytes, start: int) -> int:
    found = _STRING.match(body, start)
    assert found is not None
    return found.end()


def _any_of(characters: str) -> bytes:
    """A pattern for each of these, as it is or in a JSON escape."""
    ways = []
    for character in characters:
        digits = [f"[{digit}{digit.upper()}]" for digit in f"{ord(character):04x}"]
        ways += [character.encode(), rb"\\u" + "".join(digits).encode()]
    return b"(?:" + b"|".join(ways) + b")"


def _reads_as(name: str) -> bytes:
    """A pattern for each spelling of this name."""
    pattern = b""
    for piece in re.findall("st|.", name):
        letters = b"".join(_any_of(FOLDED.get(letter, letter + letter.upper())) for letter in piece)
        pattern += b"(?:%b|%b)" % (letters, _any_of(FOLDED["st"])) if piece == "st" else letters
    return pattern


_BACKSLASH = ord("\\")
_MODEL_BIT = 1 << 1
_FIRST_BYTES = rb"(?=[mMsSkKoO\\\xc5\xe2\xef])"
_READS_AS_NAME = re.compile(
    b'"' + _FIRST_BYTES + b"(?:" + b"|".join(b"(%b)" % _reads_as(name) for name in NAMES) + rb')"\s*+:\s*+'
)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_KEY = re.compile(rb"[\s,{]*+" + _STRING.pattern + rb"\s*+:\s*+", re.DOTALL)
