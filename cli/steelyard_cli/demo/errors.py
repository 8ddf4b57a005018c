"""The one error of the demo.

InTheWay
    the demo cannot go on: the caller prints the sentence and ends
"""


class InTheWay(Exception):
    """What is in the way, and what to do, in words for the terminal."""
