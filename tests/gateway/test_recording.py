"""What is written down of requests, and what happens where it cannot be written."""

from io import BytesIO

from steelyard_gateway.ports import Outcome
from steelyard_gateway.recording import MOST_PENDING, Recorder

OUTCOME = Outcome("other", b"req-1", 404, 0.1, 0.0, 0)


class FullDisk(BytesIO):
    """Where nothing can be written."""

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def test_lines_that_cannot_be_written_are_counted_and_nothing_else_happens() -> None:
    recorder = Recorder(FullDisk())
    for _ in range(MOST_PENDING + 1):
        recorder.finished(OUTCOME)

    assert recorder.lost_lines == MOST_PENDING
    assert next(recorder.series()).count == MOST_PENDING + 1
