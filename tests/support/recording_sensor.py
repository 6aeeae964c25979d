"""A virtual sensor with the whole firmware that keeps its output, and what its tests look for at the server."""

from tests.support.delivery import TinyServer
from tools.virtual_sensor.sensor import VirtualSensor

LONG = 1_000_000  # seconds; commands live by the sensor's clock, which runs fast here


class RecordingSensor(VirtualSensor):
    """
    A virtual sensor that records its output in `said`, a list of lines.

    Its Wi-Fi driver loses one frame in 50 without counting it, as a chip's does.
    """

    def __init__(self, *arguments, **options):
        self.said: list[str] = []
        super().__init__(*arguments, on_output=self.said.append, **options)

    def start(self) -> None:
        """Switch it on."""
        self.world.mkdir(parents=True, exist_ok=True)
        (self.world / "driver_loss").write_text("50")
        super().start()


def reports(server: TinyServer, kind: str) -> list[dict]:
    """Return the reports of a kind that the server has received, in the order of their first arrival."""
    return [report for report in list(server.reports.values()) if report["kind"] == kind]
