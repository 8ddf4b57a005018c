"""A libnvidia-ml.so.1 without a driver: built from nvml.c, scripted by a file."""
