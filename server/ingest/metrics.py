"""The ingest process's counters in Prometheus' format, for this machine only."""

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily


class Meters:
    """Shows a Counter that the loop counts in, so that counting costs the loop nothing more."""

    def __init__(self, totals):
        self._totals = totals

    def collect(self):
        family = CounterMetricFamily(
            "ansim_ingest_messages", "Messages since this process started, by what became of them.", labels=["what"]
        )
        for what, count in dict(self._totals).items():
            family.add_metric([what], count)
        yield family


def serve(port: int, totals) -> None:
    """Answer on http://127.0.0.1:<port>/metrics from a thread of its own."""
    registry = CollectorRegistry()
    registry.register(Meters(totals))
    start_http_server(port, "127.0.0.1", registry)
