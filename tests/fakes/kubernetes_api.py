"""FakeApiServer: enough of a Kubernetes API server for a client's tests, over real HTTP.

It knows every path of a collection, checks no types, and keeps all that happened until `compact()`.
"""

import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fakes.kubernetes_objects import is_selected, merged, patched
from steelyard.kube.client import Client
from steelyard.kube.configuration import Configuration, Credentials

Object = dict[str, Any]
Key = tuple[str, str, str]
"""(plural, namespace, name)."""

_PATH = re.compile(
    r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)


@dataclass(frozen=True)
class Request:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Happened:
    """An event of the history."""

    version: int
    plural: str
    type: str
    object: Object
    before: Object | None


@dataclass
class Refusal:
    """An answer instead of the true one."""

    status: int
    body: bytes
    matches: Callable[[Request], bool]
    times: int


class Refused(Exception):
    """What a request gets instead of success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        self.object = status_object(status, reason, message)


class FakeApiServer:
    """Objects and their history; tests change them from outside as other clients would."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.requests: list[Request] = []
        self.tokens: set[str] | None = None
        """Bearer tokens that are let in; None: everybody is."""
        self.away = False
        """Whether every new request is answered 503."""
        self.gone_by_event = False
        """Whether an expired watch is told by an event, as by the watch cache, or by the HTTP status."""
        self.changed = Condition()
        self._version = 100
        self._history: list[Happened] = []
        self._oldest = 0
        self._refusals: list[Refusal] = []
        self.watches = 0
        """How many watches have begun."""
        self._cut = self._cut_at = 0
        self._silent = 0

    def put(self, plural: str, value: Object) -> Object:
        """Make or change an object."""
        with self.changed:
            return self._put(plural, value)

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object."""
        with self.changed:
            self._remove((plural, namespace, name))

    def bookmark(self, plural: str) -> str:
        """Let time pass: the version moves on to this, and watches are told so."""
        with self.changed:
            self._version += 1
            self._tell(plural, "BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})
            return str(self._version)

    def say(self, plural: str, event_type: str, value: Object) -> None:
        """Tell watches something of one's own."""
        with self.changed:
            self._tell(plural, event_type, value)

    def compact(self) -> None:
        """Forget all that happened before now."""
        with self.changed:
            self._version += 1
            self._oldest = self._version

    def cut_watches(self) -> None:
        """Break the connection of every watch, in the middle of a line."""
        with self.changed:
            self._cut, self._cut_at = self.watches, self._version
            self.changed.notify_all()

    def fall_silent(self) -> None:
        """Tell running watches nothing any more, and never end them, until they are cut."""
        with self.changed:
            self._silent = self.watches

    def refuse(self, status: int, body: bytes = b"", *, times: int = 1, part: str = "") -> Refusal:
        """Answer the next requests whose URL has this part so; it ends when its `times` are set to 0."""
        with self.changed:
            self._refusals.append(Refusal(status, body, lambda asked: part in _url(asked), times))
            return self._refusals[-1]

    def wait_for(self, what: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return once this holds; it is asked again after each request and change."""
        with self.changed:
            assert self.changed.wait_for(what, seconds), self.requests[-3:]

    def asked(self, part: str) -> list[Request]:
        """The requests whose URL has this part."""
        return [asked for asked in self.requests if part in _url(asked)]

    def answer(self, asked: Request) -> tuple[int, bytes]:
        """Status and body for everything but a watch."""
        with self.changed:
            self.requests.append(asked)
            self.changed.notify_all()
            for refusal in self._refusals:
                if refusal.times and refusal.matches(asked):
                    refusal.times -= 1
                    return refusal.status, refusal.body
            try:
                return 200, json.dumps(self._answer(asked)).encode()
            except Refused as refused:
                return refused.status, json.dumps(refused.object).encode()

    def watch(self, asked: Request) -> Iterator[bytes]:
        """Lines of a watch until it is cut; raises Refused before the first."""
        version = int(asked.query["resourceVersion"])
        place = _PATH.fullmatch(asked.path)
        assert place is not None
        with self.changed:
            if version < self._oldest and not self.gone_by_event:
                raise Refused(410, "Expired", "too old resource version")
            self.watches += 1
            number = self.watches
            self.changed.notify_all()
        yield b""
        if version < self._oldest:
            yield _line("ERROR", status_object(410, "Expired", "too old resource version"))
            return
        in_time = True
        while in_time or number <= self._silent:
            with self.changed:
                cut = number <= self._cut
                news = self._since(version, place["plural"], place["namespace"])
                if number <= self._silent:
                    news = []
                elif cut:
                    news = [happened for happened in news if happened.version <= self._cut_at]
                if not news and cut:
                    yield b'{"type": "ADDED", "object": {"meta'
                    raise ConnectionAbortedError
                if not news:
                    in_time = self.changed.wait(float(asked.query["timeoutSeconds"]))
            for happened in news:
                version = happened.version
                told = _as_selected(happened, asked.query)
                if told:
                    yield _line(told, happened.object)

    def _since(self, version: int, plural: str, namespace: str | None) -> list[Happened]:
        return [
            happened
            for happened in self._history
            if happened.version > version
            and happened.plural == plural
            and (happened.type in ("BOOKMARK", "ERROR") or namespace in (None, _namespace(happened.object)))
        ]

    def _answer(self, asked: Request) -> Object:
        if self.away:
            raise Refused(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        if self.tokens is not None and asked.headers.get("authorization", "")[7:] not in self.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")
        place = _PATH.fullmatch(asked.path)
        assert place is not None
        plural, namespace, name = place["plural"], place["namespace"], place["name"]
        if name is None:
            listed = asked.method == "GET"
            return self._list(asked, plural, namespace) if listed else self._create(asked, plural)
        key = (plural, namespace, name)
        if asked.method == "PATCH" and "apply" in asked.headers["content-type"]:
            return self._put(plural, merged(self.objects.get(key, {}), asked.body))
        if key not in self.objects:
            raise Refused(404, "NotFound", f'{plural} "{name}" not found')
        now = self.objects[key]
        match asked.method:
            case "GET":
                return now
            case "DELETE":
                wanted = asked.body.get("preconditions", {}).get("uid", now["metadata"]["uid"])
                if wanted != now["metadata"]["uid"]:
                    raise Refused(409, "Conflict", "Precondition failed: UID in precondition")
                self._remove(key)
                return status_object(200, "", "")
            case "PUT":
                return self._put(plural, asked.body)
        if "json-patch" in asked.headers["content-type"]:
            return self._put(plural, patched(now, asked.body))
        return self._put(plural, merged(now, asked.body))

    def _list(self, asked: Request, plural: str, namespace: str | None) -> Object:
        found = [
            # As in a list of a built-in kind: items do not say what they are.
            {part: said for part, said in value.items() if part not in ("kind", "apiVersion")}
            for (of, where, _), value in sorted(self.objects.items())
            if of == plural and namespace in (None, where) and is_selected(value, asked.query)
        ]
        begin = int(asked.query.get("continue", 0))
        end = begin + int(asked.query.get("limit", 500))
        metadata = {"resourceVersion": str(self._version)}
        if end < len(found):
            metadata["continue"] = str(end)
        return {"kind": "List", "metadata": metadata, "items": found[begin:end] or None}

    def _create(self, asked: Request, plural: str) -> Object:
        name = asked.body["metadata"]["name"]
        if (plural, _namespace(asked.body), name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
        return self._put(plural, asked.body)

    def _put(self, plural: str, value: Object) -> Object:
        key = (plural, _namespace(value), value["metadata"]["name"])
        before = self.objects.get(key)
        version = value["metadata"].get("resourceVersion")
        if before and version and version != before["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified; please apply your changes to it")
        self._version += 1
        uid = before["metadata"]["uid"] if before else f"uid-{self._version}"
        metadata = value["metadata"] | {"uid": uid, "resourceVersion": str(self._version)}
        self.objects[key] = value | {"metadata": metadata}
        self._tell(plural, "MODIFIED" if before else "ADDED", self.objects[key], before)
        return self.objects[key]

    def _remove(self, key: Key) -> None:
        self._version += 1
        gone = self.objects.pop(key)
        metadata = gone["metadata"] | {"resourceVersion": str(self._version)}
        self._tell(key[0], "DELETED", gone | {"metadata": metadata}, gone)

    def _tell(self, plural: str, event_type: str, value: Object, before: Object | None = None) -> None:
        self._version += 1 if event_type == "ERROR" else 0
        self._history.append(Happened(self._version, plural, event_type, value, before))
        self.changed.notify_all()


@contextmanager
def fake_api_server() -> Iterator[tuple[str, FakeApiServer]]:
    """URL and state of a FakeApiServer that is up."""
    api = FakeApiServer()
    with _Server(api) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), name="fake API server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", api
        finally:
            api.cut_watches()
            server.shutdown()
            thread.join()


@asynccontextmanager
async def fake_cluster(
    read_token: Callable[[], str] = lambda: "", guard: Callable[[], None] | None = None
) -> AsyncIterator[tuple[FakeApiServer, Client]]:
    """A FakeApiServer that is up and a client of it; the token is a bearer's, empty for none."""
    with fake_api_server() as (url, api):
        async with Client(configuration(url, read_token), guard=guard) as client:
            yield api, client


def configuration(url: str, read_token: Callable[[], str] = lambda: "") -> Configuration:
    """How to reach an API server at this URL."""
    credentials = Credentials(lambda: f"Bearer {token}" if (token := read_token()) else "")
    return Configuration(url, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), credentials, "default")


def status_object(code: int, reason: str, message: str) -> Object:
    """What an API server answers where there is no object to show."""
    return {"kind": "Status", "apiVersion": "v1", "reason": reason, "message": message, "code": code}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: FakeApiServer) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(url.query))
        asked = Request(self.command, url.path, query, headers, json.loads(body) if body else None)
        status, answer = self.server.api.answer(asked)
        if status == 200 and "watch" in query:
            self.watch(asked)
        else:
            self.send_body(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def watch(self, asked: Request) -> None:
        lines = self.server.api.watch(asked)
        try:
            next(lines)
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                # In two pieces: an event need not come in one.
                for piece in filter(None, (line[:20], line[20:])):
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        except Refused as refused:
            self.send_body(refused.status, json.dumps(refused.object).encode())
        except ConnectionError:
            self.close_connection = True

    def send_body(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def _as_selected(happened: Happened, query: dict[str, str]) -> str:
    """What happened to those that the selectors select; empty: nothing."""
    if happened.type not in ("ADDED", "MODIFIED", "DELETED"):
        return happened.type
    was = happened.before is not None and is_selected(happened.before, query)
    now = happened.type != "DELETED" and is_selected(happened.object, query)
    return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((was, now), "")


def _namespace(value: Object) -> str:
    return str(value.get("metadata", {}).get("namespace", ""))


def _url(asked: Request) -> str:
    return asked.path + "?" + "&".join(f"{name}={value}" for name, value in asked.query.items())


def _line(event_type: str, value: Object) -> bytes:
    return json.dumps({"type": event_type, "object": value}).encode() + b"\n"
