"""The demo's engines: their wheels (`parts`), one server (`llamacpp`), several (`fleet`), and `ollama`."""
