"""A leaderboard's text from the web: only what was asked for, of bounded size, by the way out."""

from pathlib import Path

import pytest

from fakes import connect_proxy, engines, tls_engine
from fakes.engines import Ask, Script
from steelyard.egress.proxies import DIRECT, Egress
from steelyard_cli.benchmarks import fetching
from steelyard_cli.benchmarks.fetching import FetchError

BOARD = "model,sums\ntiny,1\n"


def refused(script: Script) -> str:
    """Why the answer of this script is not taken."""
    with engines.engine(script) as up, pytest.raises(FetchError) as why:
        fetching.text(f"http://127.0.0.1:{up.port}/board.csv", DIRECT)
    return str(why.value)


def serve(ask: Ask) -> None:
    ask.send(engines.answer(BOARD.encode(), headers=b"content-type: text/csv\r\n"))


def redirect(place: bytes) -> bytes:
    return engines.answer(b"", "302 Found", b"location: %b\r\n" % place)


ANSWERS: dict[str, tuple[bytes, str]] = {
    "not found": (engines.answer(b"", "404 Not Found"), "127.0.0.1 answered 404"),
    "round and round": (redirect(b"/again"), f"leads on more than {fetching.MOST_REDIRECTS} times"),
    "out of the web": (redirect(b"file:///etc/passwd"), "is no address of the web"),
    "packed": (engines.answer(b"x", headers=b"content-encoding: gzip\r\n"), "packed although plain text"),
    "no text": (engines.answer(b"\xff\xfe\xff"), "is not UTF-8"),
    "no HTTP": (b"hello\r\n\r\n", "127.0.0.1 could not be asked"),
    "cut": (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nmodel", "127.0.0.1 could not be asked"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_no_leaderboard_is_told(case: str) -> None:
    answer, said = ANSWERS[case]

    def script(ask: Ask) -> None:
        ask.send(answer)
        ask.close()

    told = refused(script)
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize("size", [fetching.MOST_BYTES + 1, 1 << 40])
def test_what_is_too_large_is_left(size: int) -> None:
    def script(ask: Ask) -> None:
        ask.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(fetching.MOST_BYTES // 65_536 + 1):
            ask.send(b"x" * 65_536)

    assert refused(script) == "is larger than 16 MiB: that is no leaderboard"


def test_a_file_that_is_too_large_is_left(tmp_path: Path) -> None:
    file = tmp_path / "board.csv"
    with file.open("wb") as made:
        made.truncate(fetching.MOST_BYTES + 1)
    with pytest.raises(FetchError, match="is larger than 16 MiB"):
        fetching.text(str(file), DIRECT)


def test_what_is_outside_is_reached_through_the_proxy_and_its_certificate_checked() -> None:
    with engines.engine(serve, tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        url = f"https://{tls_engine.NAME}:{up.port}/board.csv"
        egress = Egress(proxy.proxy(), ca_pem=tls_engine.AUTHORITY)
        assert fetching.text(url, egress) == BOARD
        with pytest.raises(FetchError, match="its certificate is not trusted"):
            fetching.text(url, Egress(proxy.proxy()))
    assert proxy.targets == [f"{tls_engine.NAME}:{up.port}"] * 2


def test_from_https_nothing_leads_back_to_http() -> None:
    def script(ask: Ask) -> None:
        ask.send(redirect(b"http://127.0.0.1:1/board.csv"))

    with engines.engine(script, tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        url = f"https://{tls_engine.NAME}:{up.port}/"
        with pytest.raises(FetchError, match="leads from https to http"):
            fetching.text(url, Egress(proxy.proxy(), ca_pem=tls_engine.AUTHORITY))


def test_a_proxy_that_refuses_is_named() -> None:
    def script(ask: Ask) -> None:
        ask.send(engines.answer(b"", "403 Forbidden"))

    with connect_proxy.proxy(script) as proxy, pytest.raises(FetchError, match="answered 403 to CONNECT"):
        fetching.text("https://board.example.com/board.csv", Egress(proxy.proxy()))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/board.csv", "is no address of the web: write https://host/path"),
        ("https://user:secret@host/board.csv", "holds a user or a password"),
        ("http://[::1/board.csv", "is no address: write https://host/path"),
        ("https:///board.csv", "is no address of the web"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(url: str, said: str) -> None:
    with pytest.raises(FetchError) as why:
        fetching.text(url, DIRECT)
    assert said in str(why.value)
