"""The text of a leaderboard: a file, or an address on the web.

Rule 1. Only http and https; a redirect leads there too, and from https never back to http.
Rule 2. What is read is bounded, and each phase has its time.
Rule 3. https to what is outside goes through the proxy, as every way out does.
"""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from steelyard.egress import trust
from steelyard.egress.proxies import Egress
from steelyard.egress.tunnels import Tunnels
from steelyard.routing import endpoints

MOST_BYTES = 16 * 1024 * 1024
"""The largest leaderboards have some MiB."""

MOST_REDIRECTS = 5
"""Further ones lead nowhere."""

CONNECT_SECONDS = 10.0
"""The longest that a connection may take, the proxy's way included."""

PIECE_SECONDS = 30.0
"""The longest wait for the answer, and for each piece of it."""

TOTAL_SECONDS = 120.0
"""The longest that all may take, redirects included."""

_SCHEMES = ("http", "https")
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"accept": "application/json, text/csv, */*", "accept-encoding": "identity"}


class FetchError(Exception):
    """It cannot be had; a sentence says why."""


def is_url(location: str) -> bool:
    """Whether this is an address, not a file."""
    return "://" in location


def text(location: str, egress: Egress) -> str:
    """The text of this file or address; raises FetchError."""
    body = asyncio.run(_fetched(location, egress)) if is_url(location) else _of_file(Path(location))
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FetchError("is not UTF-8: save it as UTF-8") from error


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FetchError(f"cannot be read: {error.strerror}") from error
    _refuse_large(len(body))
    return body


async def _fetched(url: str, egress: Egress) -> bytes:
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            for _ in range(MOST_REDIRECTS + 1):
                found = await _asked(url, egress)
                if isinstance(found, bytes):
                    return found
                if urlsplit(url).scheme == "https" and urlsplit(found).scheme == "http":
                    raise FetchError("leads from https to http, where anybody could change it")
                url = found
    except TimeoutError as error:
        raise FetchError(f"took longer than {TOTAL_SECONDS:g} s") from error
    raise FetchError(f"leads on more than {MOST_REDIRECTS} times")


async def _asked(url: str, egress: Egress) -> bytes | str:
    """The body, or where it is instead."""
    scheme, host, port = _parts(url)
    proxy = egress.proxy_for(scheme, host, port, endpoints.of_host(host))
    try:
        trusts = await asyncio.to_thread(trust.context, None, egress.ca_pem)
        through = None if proxy is None else Tunnels(proxy, trusts, keeps_connections=False)
        times = httpx.Timeout(PIECE_SECONDS, connect=CONNECT_SECONDS)
        async with (
            httpx.AsyncClient(transport=through, verify=trusts, timeout=times, trust_env=False) as client,
            client.stream("GET", url, headers=_HEADERS) as response,
        ):
            if response.is_redirect:
                return urljoin(url, str(response.headers.get("location", "")))
            if response.status_code != httpx.codes.OK:
                raise FetchError(f"{host} answered {response.status_code}: see the address in a browser")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchError(
                    f"{host} sent it packed although plain text was asked for: save it as a file"
                )
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                _refuse_large(len(body))
            return bytes(body)
    except httpx.ProxyError as error:
        raise FetchError(f"cannot be had: {error}") from error
    except httpx.TimeoutException as error:
        raise FetchError(f"{host} did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        said = "its certificate is not trusted" if "CERTIFICATE" in str(error) else str(error)
        raise FetchError(f"{host} could not be asked: {said or type(error).__name__}") from error


def _parts(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises FetchError where that is no address that may be asked."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise FetchError("is no address: write https://host/path") from None
    if parts.scheme not in _SCHEMES or not host:
        raise FetchError("is no address of the web: write https://host/path, or name a file")
    if parts.username is not None:
        raise FetchError(
            "holds a user or a password, which would be seen: fetch it yourself, and name the file"
        )
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _refuse_large(count: int) -> None:
    if count > MOST_BYTES:
        raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB: that is no leaderboard")
