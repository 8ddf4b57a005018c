"""What Open WebUI needs for a chat: its requirements without gigabytes for documents and speech."""

import sys
from importlib.metadata import requires

LEFT_OUT = {
    "accelerate",
    "colbert-ai",
    "faster-whisper",
    "opencv-python-headless",
    "playwright",
    "rapidocr-onnxruntime",
    "sentence-transformers",
    "torch",
    "transformers",
}

for requirement in requires("open-webui") or ():
    name = requirement.split(";")[0].split("[")[0].rstrip("=<>!~.0123456789 ,")
    if name.lower() not in LEFT_OUT and "extra ==" not in requirement:
        sys.stdout.write(f"{requirement}\n")
