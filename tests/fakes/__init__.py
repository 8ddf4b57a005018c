"""Named fakes that speak real HTTP (`from fakes import …`); never a patch of our own code."""
