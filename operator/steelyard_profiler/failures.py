"""What an answer that was not hoped for says, as a failure with a sentence for people. Pure.

Invariant: the text holds the status and the content type of an answer, never its body.
"""

import httpx

from steelyard_profiler.target import Failure, Severity, Target


def kind(response: httpx.Response) -> str:
    """The content type, without its parameters."""
    return str(response.headers.get("content-type", "no content type")).split(";")[0].strip().lower()[:60]


def unexpected(response: httpx.Response, address: str, target: Target, wanted: str) -> Failure:
    """What an answer's status and content type say; its body is for nobody."""
    status = response.status_code
    said = f"{address} answered {status} ({kind(response)})"
    if status == 200:
        return Failure("NotAnEngine", f"{said} instead of {wanted}. Does url name an OpenAI-compatible API?")
    if status in (401, 403):
        return Failure("Unauthorized", f"{said}: check the key that credentialsRef names.")
    if status == 404:
        return Failure(
            "NotFound", f"{said}: it does not serve model {target.model!r}, or url's path is wrong."
        )
    if status == 501:
        return Failure("NotOffered", f"{said}: it does not offer this.", Severity.REFUSED)
    if status == 429:
        message = f"{said}: it limits requests. Lower maxConcurrency, or measure when it has less to do."
        return Failure("EngineError", message, Severity.TRANSIENT)
    if status in (408, 425) or status >= 500:
        return Failure("EngineError", f"{said}: see the engine's log.", Severity.TRANSIENT)
    if 300 <= status < 400:
        return Failure("Redirected", f"{said}: redirects are not followed; put the final address into url.")
    return Failure("BadRequest", f"{said}: it refuses plain requests for {target.model!r}.", Severity.REFUSED)


def hangs(phase: str, field: str, seconds: float) -> Failure:
    """Silence for longer than the field allows."""
    return Failure(
        "Timeout", f"The engine sent no {phase} in {seconds:g} s ({field}): is it stuck or overloaded?"
    )
