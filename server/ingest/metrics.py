"""The figures of one ingest process in Prometheus' format, for this machine only."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from server.ingest.main import Ingest


class IngestCollector(Collector):
    """Exports what the loop counts anyway, so that exporting costs the loop nothing more."""

    def __init__(self, process: "Ingest"):
        self._process = process

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        process = self._process
        text = "Messages since this process started, by what became of them."
        messages = CounterMetricFamily("ansim_ingest_messages", text, labels=["what"])
        for outcome, count in dict(process.totals).items():
            messages.add_metric([outcome], count)
        yield messages
        yield CounterMetricFamily("ansim_ingest_batches", "Batches stored.", value=process.batches)
        yield CounterMetricFamily("ansim_ingest_storing_seconds", "Time spent storing them.", value=process.storing_s)
        yield GaugeMetricFamily("ansim_ingest_connected", "1 while it receives messages.", value=int(process.ready))
        text = "Messages received and not yet stored."
        yield GaugeMetricFamily("ansim_ingest_waiting_messages", text, value=process.waiting_messages())
        if process.stored_at:
            age_s = time.monotonic() - process.stored_at
            yield GaugeMetricFamily("ansim_ingest_last_batch_age_seconds", "Since the newest batch.", value=age_s)


def serve(port: int, process: "Ingest") -> None:
    """Serve http://127.0.0.1:<port>/metrics from a thread of its own."""
    registry = CollectorRegistry()
    registry.register(IngestCollector(process))
    start_http_server(port, "127.0.0.1", registry)
