"""Which proxy a URL names, and before which addresses it stands."""

import base64

import pytest

from steelyard.api.backend import Location
from steelyard.egress import connecting, proxies
from steelyard.egress.connecting import ProxyFailed
from steelyard.egress.proxies import Egress, Proxy, WrongProxy

PROXY = Proxy("proxy.test", 3128)


@pytest.mark.parametrize(
    ("url", "shown", "credentials"),
    [
        ("http://proxy.test:3128", "proxy.test:3128", None),
        ("http://proxy.test:3128/", "proxy.test:3128", None),
        ("http://proxy.test", "proxy.test:80", None),
        ("proxy.test:3128", "proxy.test:3128", None),
        (" http://10.0.0.1:3128 ", "10.0.0.1:3128", None),
        ("http://[fd00::1]:3128", "[fd00::1]:3128", None),
        ("http://me:p%40ss%3A%2F@proxy.test:3128", "proxy.test:3128", b"me:p@ss:/"),
        ("me:secret@proxy.test:3128", "proxy.test:3128", b"me:secret"),
        ("http://me@proxy.test", "proxy.test:80", b"me:"),
    ],
)
def test_a_url_names_a_proxy_and_perhaps_user_and_password(
    url: str, shown: str, credentials: bytes | None
) -> None:
    found = proxies.read(url)

    assert found is not None and str(found) == shown
    wanted = None if credentials is None else f"Basic {base64.b64encode(credentials).decode()}"
    assert found.authorization == wanted
    assert "secret" not in repr(found) and "secret" not in repr(Egress(found))


def test_an_empty_url_names_none() -> None:
    assert proxies.read("") is proxies.read(" ") is None


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@proxy.test",
        "socks5://me:secret@proxy.test",
        "http://me:secret@proxy.test:port",
        "http://me:secret@proxy.test:0",
        "http://me:secret@",
        "http://me:secret@proxy.test/path",
        "http://me:secret@proxy.test?query",
        "http://me:secret@[proxy",
        "http://me:secret@two names",
    ],
)
def test_what_is_no_url_of_a_proxy_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(WrongProxy) as refused:
        proxies.read(url)
    assert "http://" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("api.example.com", "", False),
        ("api.example.com", "*", True),
        ("api.example.com", " * ", True),
        ("api.example.com", "api.example.com", True),
        ("API.example.com", "other.test, api.EXAMPLE.com", True),
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "le.com", False),
        ("api.example.com", "api.example.com:443", True),
        ("api.example.com", "api.example.com:8443", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.3.7", "192.0.2.0/24, nonsense/99", False),
        ("api.example.com", "0.0.0.0/0", False),
        ("2001:db8::7", "2001:db8::/32", True),
        ("2001:db8::7", "2001:db8:0::7", True),
        ("2001:db8::7", "[2001:db8::7]", True),
        ("2001:db8::7", "10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_hosts_suffixes_addresses_and_networks(host: str, no_proxy: str, exempt: bool) -> None:
    egress = Egress(PROXY, no_proxy)
    assert proxies.is_exempt(host, 443, no_proxy) is exempt
    assert egress.proxy_for("https", host, 443, Location.EXTERNAL) == (None if exempt else PROXY)


def test_only_https_to_what_is_outside_goes_through_it() -> None:
    egress = Egress(PROXY)
    asked = [("http", Location.EXTERNAL), ("https", Location.LOCAL), ("https", Location.EXTERNAL)]
    found = [egress.proxy_for(scheme, "engine.test", 443, location) for scheme, location in asked]
    assert found == [None, None, PROXY]


def test_an_address_of_the_sixth_version_is_asked_for_in_brackets() -> None:
    asked = connecting.request(Proxy("p", 1, authorization="Basic eA=="), "2001:db8::7", 443)
    assert asked == (
        b"CONNECT [2001:db8::7]:443 HTTP/1.1\r\nHost: [2001:db8::7]:443\r\n"
        b"Proxy-Authorization: Basic eA==\r\n\r\n"
    )


def test_an_answer_is_understood_wherever_it_is_cut() -> None:
    answer = b"HTTP/1.0 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"
    opened = [connecting.is_open(PROXY, answer[:length]) for length in range(len(answer) + 1)]
    assert opened == [False] * len(answer) + [True]


def test_a_refusal_is_known_by_its_first_line_alone() -> None:
    with pytest.raises(ProxyFailed, match=r"^the proxy proxy\.test:3128 answered 503 to CONNECT$"):
        connecting.is_open(PROXY, b"HTTP/1.1 503 Secret\r\n")
