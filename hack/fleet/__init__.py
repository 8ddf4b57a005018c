"""A simulated fleet of Ollama servers: which balancer loads how often, and how long clients wait for it."""
