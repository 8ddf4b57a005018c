#!/usr/bin/env bash
# Runs `steelyard agent` on a machine that has a GPU and compares what it tells with nvidia-smi. Exit status 1: they
# differ. With --url and --model the engine there is profiled, too, and its memory, power and energy are shown.
# Needs nvidia-smi and a Python 3.11+ with nvidia-ml-py and h2; for a profile, with all of Steelyard's packages.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
export PYTHONPATH="$root/core:$root/operator:$root/gateway:$root/cli${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$root/hack/gpu_check.py" "$@"
