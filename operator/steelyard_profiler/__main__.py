"""`python -m steelyard_profiler`: ends on SIGTERM at any time, while its imports load as well."""

import signal
import sys


def _terminated(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    # Process 1 of a container ignores the signal otherwise, and asks the engine on for half a minute.
    signal.signal(signal.SIGTERM, _terminated)
    from steelyard_profiler import command

    sys.exit(command.main())
