"""How good the profiler's numbers are: simulated runs, a fake engine of a known latency, real engines."""
