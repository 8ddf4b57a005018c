"""Health and metrics over HTTP: /healthz, /readyz, /metrics. Standbys answer, too.

Invariant: a connection is closed after its answer, so that none holds up the stop.
"""

from aiohttp import web

from steelyard_operator.metrics import Metrics

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class CannotListen(Exception):
    """The port is taken or the address is not ours."""


class Serving:
    """The operator's HTTP port; use as `async with`."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        app = web.Application()
        app.router.add_get("/healthz", self._ok)
        app.router.add_get("/readyz", self._ok)
        app.router.add_get("/metrics", self._exposition)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def __aenter__(self) -> "Serving":
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(
                f"cannot listen on {self._host}:{self._port} ({error.strerror}): "
                "choose others with --host and --port"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._runner.addresses[0][1])

    async def _ok(self, _: web.Request) -> web.Response:
        return _last(web.json_response({"status": "ok"}))

    async def _exposition(self, _: web.Request) -> web.Response:
        return _last(web.Response(body=self._metrics.text(), headers={"Content-Type": METRICS_TYPE}))


def _last(response: web.Response) -> web.Response:
    response.force_close()
    return response
