"""nginx twice: as the static upstream, faster than all that is tested, and as the proxy to compare with."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench import answers
from bench.processes import BenchError, Launch

HOW_TO_GET = "nginx is needed as the upstream: apt-get install nginx-light (its service may stay off)"

_MAIN = """
daemon off;
master_process on;
worker_processes 1;
pid @FOLDER@/pid;
error_log stderr crit;
@USER@
events { worker_connections 8192; }
http {
  client_body_temp_path @FOLDER@/body;
  proxy_temp_path @FOLDER@/proxy;
  fastcgi_temp_path @FOLDER@/fastcgi;
  uwsgi_temp_path @FOLDER@/uwsgi;
  scgi_temp_path @FOLDER@/scgi;
  default_type application/json;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  tcp_nodelay on;
@HTTP@
}
"""

_UPSTREAM = """
  access_log off;
  server {
@LISTEN@
    location = /health { return 200 ""; }
    location = /version { return 200 '{"version":"0.32.0"}'; }
    location = /v1/models { return 200 '@MODELS@'; }
    location = /metrics { default_type text/plain; alias @FOLDER@/metrics; }
    location /v1/ { @ANSWER@ }
    location = /swallow { return 204; }
    location @answer { return 200 '@COMPLETION@'; }
  }
"""

_AT_ONCE = "return 200 '@COMPLETION@';"
"""`return` drops a body unread, and answers before a large one is in."""

_AFTER_THE_BODY = "mirror /swallow; root @FOLDER@; log_not_found off; error_page 404 =200 @answer;"
"""A mirror reads the whole body first, as engines do; that there is no such file turns into the answer."""

_PROXY = """
  log_format line '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent $request_time';
  access_log @FOLDER@/access.log line buffer=16k flush=500ms;
  upstream engine {
@SERVERS@
    keepalive 2048;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:@PORT@ backlog=4096;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering @BUFFERING@;
      proxy_read_timeout 1h;
    }
  }
"""


def upstream(folder: Path, port: int, *, hosts: Sequence[str], reads_bodies: bool) -> Launch:
    """An upstream that answers every chat request alike, on one port of each of these loopback addresses."""
    values = {
        "LISTEN": "\n".join(f"    listen {host}:{port} backlog=4096;" for host in hosts),
        "ANSWER": _AFTER_THE_BODY if reads_bodies else _AT_ONCE,
        "COMPLETION": answers.COMPLETION,
        "MODELS": answers.MODELS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics").write_text(answers.METRICS)
    return _launch(folder, _UPSTREAM, values)


def proxy(folder: Path, port: int, upstreams: Sequence[str], *, is_streamed: bool) -> Launch:
    """A proxy to these by turns; it keeps connections and writes a line for each request, as ours does."""
    values = {
        "PORT": str(port),
        "SERVERS": "\n".join(f"    server {one};" for one in upstreams),
        "BUFFERING": "off" if is_streamed else "on",
    }
    return _launch(folder, _PROXY, values)


def find() -> str:
    """Where nginx is; raises BenchError that says how to get it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(HOW_TO_GET)
    return found


def _launch(folder: Path, http: str, values: dict[str, str]) -> Launch:
    folder.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    text = _MAIN.replace("@HTTP@", http)
    for name, value in {**values, "FOLDER": str(folder), "USER": user}.items():
        text = text.replace(f"@{name}@", value)
    path = folder / "nginx.conf"
    path.write_text(text)
    return Launch([find(), "-p", str(folder), "-e", "stderr", "-c", str(path)], {})
