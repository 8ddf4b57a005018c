"""The one error of the demo's engines.

EngineError
    an engine or a part of it cannot be had: the caller prints the sentence and ends
"""


class EngineError(Exception):
    """What failed, why, and what to do, in words for the terminal."""
