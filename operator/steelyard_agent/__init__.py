"""The agent: tells over HTTP how the GPUs of a node are, in dcgm-exporter's names, from NVML."""
