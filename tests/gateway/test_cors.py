import pytest

from steelyard_gateway import cors

NAMES = [(b"access-control-request-headers", b"authorization,content-type,x-stainless-os")]


def answered(setting: str, origin: bytes) -> bytes:
    made = cors.read(setting.split(","))
    assert made is not None
    return made.lines([(b"origin", origin)])


def test_without_origins_it_is_off() -> None:
    assert cors.read(["", " "]) is None


@pytest.mark.parametrize("origin", [b"https://a.example", b"null", b""])
def test_a_star_allows_every_page(origin: bytes) -> None:
    assert b"access-control-allow-origin: *\r\n" in answered("*", origin)


@pytest.mark.parametrize(
    "setting", ["https://a.example", "http://b.example, HTTPS://A.example/", "https://a.example,app://x"]
)
def test_a_page_of_the_list_is_named(setting: str) -> None:
    lines = answered(setting, b"https://a.example")
    assert b"access-control-allow-origin: https://a.example\r\n" in lines
    assert b"vary: origin\r\n" in lines


@pytest.mark.parametrize(
    "origin",
    [
        b"https://b.example",
        b"http://a.example",
        b"https://a.example:8443",
        b"https://a.example.evil",
        b"null",
    ],
)
def test_no_other_page_is_named(origin: bytes) -> None:
    assert answered("https://a.example", origin) == b"vary: origin\r\n"


@pytest.mark.parametrize(
    "wrong", ["a.example", "https://a.example/x", "https://", "https://é.example", "https://*.a.example"]
)
def test_what_is_no_origin_is_refused_with_what_to_write(wrong: str) -> None:
    with pytest.raises(cors.WrongOrigin, match=r"is no origin: write https://example\.com"):
        cors.read([wrong])


def test_a_question_is_answered_with_what_was_asked_for() -> None:
    made = cors.read(["*"])
    assert made is not None
    lines = dict(made.permission(NAMES, b"POST"))
    assert lines[b"access-control-allow-methods"] == b"POST"
    assert lines[b"access-control-allow-headers"] == NAMES[0][1]
    assert b"access-control-allow-headers" not in dict(made.permission([(NAMES[0][0], b"a\x00b")], b"POST"))


def test_what_an_engine_says_of_pages_is_taken_out_and_nothing_else() -> None:
    lines = (
        b"access-control-allow-origin: x\r\nx-a: access-control-b: c\r\naccess-control-max-age: 1\r\ny: z\r\n"
    )
    assert cors.without(lines) == b"x-a: access-control-b: c\r\ny: z\r\n"
