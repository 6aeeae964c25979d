"""The ingest process's counters in Prometheus' format, for this machine only."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class TotalsCollector(Collector):
    """Exports a Counter that the loop increments, so that counting costs the loop nothing more."""

    def __init__(self, totals: Counter[str]):
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "ansim_ingest_messages", "Messages since this process started, by what became of them.", labels=["what"]
        )
        for outcome, count in dict(self._totals).items():
            family.add_metric([outcome], count)
        yield family


def serve(port: int, totals: Counter[str]) -> None:
    """Serve http://127.0.0.1:<port>/metrics from a thread of its own."""
    registry = CollectorRegistry()
    registry.register(TotalsCollector(totals))
    start_http_server(port, "127.0.0.1", registry)
