"""Reports of sensors on their way into the database."""

from typing import NamedTuple


class ReceivedReport(NamedTuple):
    """A report with a valid signature."""

    sensor_id: int  # row number of the sensor
    message: dict  # the decoded and checked report
    body: bytes  # its exact JSON bytes


class NewReport(NamedTuple):
    """A report that has just been stored."""

    key: tuple[int, int, int]  # (sensor_id, boot, seq)
    message: dict
    body: bytes
    digest: str  # SHA-256 of the exact bytes, hex
    at_s: int | None  # when it was made, if known
    report_id: int  # row number

    @property
    def sensor_id(self) -> int:
        return self.key[0]
