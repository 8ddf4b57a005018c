"""Load by wrk: its script in Lua, its command and what it printed.

One thread keeps so many connections busy: the next request of each goes out when its answer is in.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import resources
from bench.measures import Quantity, Round
from bench.processes import BenchError
from bench.prompts import Prompt

CONNECTIONS = 32
"""Requests under way at once."""

HOW_TO_GET = "wrk is needed for the load: apt-get install wrk (Debian, Ubuntu), brew install wrk (elsewhere)"

_MARK = "bench "

_PATH = "/v1/chat/completions"

_DONE = """
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'bench {"requests": %d, "seconds": %.6f, "p50_us": %.1f, "p99_us": %.1f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
"""The last thing that wrk does: one line that can be parsed."""

_ONE = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local file = io.open("@FILE@")
wrk.body = file:read("*a")
file:close()
"""

_IN_TURN = """
local sent, all = 0, {}
function init(args)
  for body in io.lines("@FILE@") do
    all[#all + 1] = wrk.format("POST", "@PATH@", {["content-type"] = "application/json"}, body)
  end
  sent = tonumber(args[1]) * 7919
end
function request()
  sent = sent + 1
  return all[sent % #all + 1]
end
"""

_ALL_NEW = """
local sent, salt, openings, middles, ends = 0, 0, {}, {}, {}
local head = '{"model":"@MODEL@","messages":[{"role":"user","content":"'
local fields
function init(args)
  salt = tonumber(args[1])
  math.randomseed(salt)
  local parts = {openings, middles, ends}
  local count = 0
  for part in io.lines("@FILE@") do
    local list = parts[count % 3 + 1]
    list[#list + 1] = part
    count = count + 1
  end
  fields = "POST @PATH@ HTTP/1.1\\r\\nHost: " .. wrk.headers["Host"] ..
    "\\r\\ncontent-type: application/json\\r\\ncontent-length: "
end
function request()
  sent = sent + 1
  local body = head .. openings[math.random(#openings)] .. " " .. middles[math.random(#middles)] .. " " ..
    ends[math.random(#ends)] .. " Case " .. salt .. "-" .. sent .. '."}]}'
  return fields .. #body .. "\\r\\n\\r\\n" .. body
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk sends."""

    script: Path
    """The Lua script."""
    connections: int = CONNECTIONS
    """Connections that are kept busy."""

    def run(self, port: int, seconds: int, number: int) -> Round:
        """Put the load on a port of 127.0.0.1; `number` is another one in each round."""
        words = ["-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", str(self.script)]
        url = f"http://127.0.0.1:{port}{_PATH}"
        ended = subprocess.run(
            [find(), *words, url, "--", str(number)], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise BenchError(f"wrk ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
        return parse(ended.stdout)


def find() -> str:
    """Where wrk is; raises BenchError that says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError(HOW_TO_GET)
    return found


def body(model: str, text: str) -> str:
    """A chat request in one line."""
    return json.dumps(
        {"model": model, "messages": [{"role": "user", "content": text}]}, separators=(",", ":")
    )


def one(folder: Path, request: str) -> Load:
    """The same body again and again."""
    return _load(folder, _ONE, request)


def in_turn(folder: Path, requests: Sequence[str]) -> Load:
    """These bodies in turn, from another one on in each round."""
    return _load(folder, _IN_TURN, "\n".join(requests) + "\n")


def all_new(folder: Path, of: Sequence[Prompt]) -> Load:
    """Prompts that differ from all others of the run: drawn openings, middles and ends, and a number."""
    parts = (part for prompt in of for part in (prompt.opening, prompt.middle, prompt.end))
    return _load(folder, _ALL_NEW, "\n".join(parts) + "\n")


def parse(output: str) -> Round:
    """What wrk measured; raises BenchError where its last line is not there."""
    line = next((one for one in output.splitlines() if one.startswith(_MARK)), None)
    if line is None:
        raise BenchError(f"wrk printed no figures: {output}")
    told = json.loads(line.removeprefix(_MARK))
    good = max(told["requests"] - told["errors"], 0)
    return {
        Quantity.RATE: good / told["seconds"],
        Quantity.P50_MS: told["p50_us"] / 1e3,
        Quantity.P99_MS: told["p99_us"] / 1e3,
        Quantity.ERRORS: told["errors"],
        Quantity.COUNT: told["requests"],
    }


def _load(folder: Path, script: str, content: str) -> Load:
    folder.mkdir(parents=True, exist_ok=True)
    data, path = folder / "requests", folder / "load.lua"
    data.write_text(content)
    for name, value in {"FILE": str(data), "PATH": _PATH, "MODEL": resources.POLICY}.items():
        script = script.replace(f"@{name}@", value)
    path.write_text(script + _DONE)
    return Load(path)
