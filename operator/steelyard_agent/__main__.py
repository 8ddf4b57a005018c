"""`python -m steelyard_agent`, the same as `steelyard agent`: ends on SIGTERM while its imports load, too."""

import signal
import sys


def _terminated(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    # Process 1 of a container ignores the signal otherwise.
    signal.signal(signal.SIGTERM, _terminated)
    from steelyard_agent import command

    sys.exit(command.main())
