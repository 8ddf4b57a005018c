"""A headless Chromium, driven by its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import websocket

from kube import waiting

SECONDS = 60.0
"""For an answer of the browser, and for what a page is to show."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # refuses to run as root otherwise
    "--disable-gpu",
    "--remote-debugging-port=0",
    "--window-size=1280,800",
    "--no-first-run",
)


class Page:
    """A tab."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._serial = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol."""
        number = next(self._serial)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._connection.recv())).get("id") != number:
            pass  # events
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return got["result"].get("value")

    def go(self, url: str) -> None:
        """Open an address, and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        waiting.until(lambda: self.evaluate("document.readyState") == "complete", url, SECONDS)

    def wait_for(self, expression: str) -> Any:
        """The value of an expression, once it is true."""
        try:
            return waiting.until(lambda: self.evaluate(expression), expression, SECONDS)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; the page says: {self.evaluate('document.body.innerText')}"
            ) from None

    def click(self, text: str) -> None:
        """Press the button that says this, once it is there."""
        button = f"[...document.querySelectorAll('button')].find(one => one.innerText.includes({text!r}))"
        self.wait_for(f"{button} !== undefined")
        self.evaluate(f"{button}.click()")

    def screenshot(self, file: Path) -> None:
        """Keep what is shown, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def page() -> Iterator[Page]:
    """A tab of a browser of its own. Raises LookupError where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise LookupError("There is no Chromium on the PATH: install it.")
    with tempfile.TemporaryDirectory() as folder:
        words = [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            told = Path(folder) / "DevToolsActivePort"
            port = waiting.until(
                lambda: told.exists() and told.read_text().split("\n")[0], "Chromium", SECONDS
            )
            tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with closing(websocket.create_connection(url, SECONDS, suppress_origin=True)) as connection:
                yield Page(connection)
        finally:
            running.terminate()
            running.wait()
