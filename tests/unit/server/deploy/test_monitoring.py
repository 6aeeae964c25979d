"""Alert rules and the dashboard ask for metrics that the processes export; no metric has a label for each sensor."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ansim import messages
from server import create_app, vault
from server.ingest.main import Ingest
from server.ingest.metrics import IngestCollector
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import counters
from server.services.sensors import command_queue, enrolment
from server.services.upkeep import gauges
from tests.conftest import ROOT
from tests.support.sensor_messages import Voice, heard

MONITORING = ROOT / "server/deploy/monitoring"
SILENT_AFTER_S = 300


@pytest.fixture
def process(settings):
    """An ingest process that has stored a batch, without a broker."""
    process = Ingest(settings)
    process.totals["stored"] += 3
    process.batches, process.storing_s, process.stored_at = 1, 0.5, 1.0
    return process


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def exported(settings, process):
    """Return {name of a time series: its label names} of all processes."""
    registry = CollectorRegistry()
    registry.register(IngestCollector(process))
    client = create_app(settings).test_client()
    client.get("/healthz")
    text = client.get("/metrics").text + generate_latest(registry).decode()
    series = {}
    for family in families(text).values():
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    return series


def expressions():
    """Return the PromQL expressions of the rules and the dashboard."""
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    asked = [rule["expr"] for group in groups for rule in group["rules"]]
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return asked + [target["expr"] for panel in panels for target in panel["targets"]]


def test_rules_and_dashboard_ask_for_metrics_that_exist(settings, sessions, vault, process):
    with sessions.begin() as session:
        enrolment.enrol(session, vault, "hall-1", "First")[0].last_seen_s = 5
        counters.add(session, {("hall-1", counters.STORED): 1})
    made = create_app(settings)
    made.test_cli_runner().invoke(args=["sign-head"])

    series = exported(settings, process)
    asked = set(re.findall(r"\bansim_[a-z_]+", " ".join(expressions())))

    assert asked - set(series) == set() and len(asked) > 15
    for name, labels in re.findall(r"\b(ansim_[a-z_]+)\{([^}]*)\}", " ".join(expressions())):
        assert set(re.findall(r"(\w+)[=!]", labels)) <= series[name], name


def test_every_metric_is_in_the_document(settings, process):
    document = (ROOT / "docs/operations.md").read_text()
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported(settings, process)}

    assert [name for name in sorted(names) if f"`{name}`" not in document and not name.endswith("_created")] == []


def test_every_alert_is_in_the_document():
    document = (ROOT / "docs/operations.md").read_text()
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]

    assert [rule["alert"] for rule in groups[0]["rules"] if f"`{rule['alert']}`" not in document] == []


def test_the_numbers_are_those_of_the_database(session, vault, pseudonyms):
    online, _ = enrolment.enrol(session, vault, "hall-1", "First")
    enrolment.enrol(session, vault, "hall-2", "Second")
    voice = Voice(online)
    heard(session, pseudonyms, voice.says(), voice.finds())
    online.state, online.last_seen_s = messages.READY, 1_000
    command_queue.send(session, online, messages.RESTART, {})

    numbers = gauges.read(session, 1_010, SILENT_AFTER_S)

    assert (numbers.sensors["online"], numbers.sensors["never"], numbers.sensors["silent"]) == (1, 1, 0)
    assert (numbers.findings, numbers.commands, numbers.last_seen_age_s) == ({"notice": 0, "alarm": 1}, 1, 10)
    assert numbers.log_entries == numbers.log_unsigned > 0 and numbers.log_head_age_s is None


def test_without_a_database_the_metrics_say_so(settings):
    made = create_app(settings)
    made.extensions["sessions"].engine.dispose()
    Path(settings.data / "ansim.db").write_bytes(b"no database" * 1000)

    answer = made.test_client().get("/metrics")

    assert answer.status_code == 200
    problems = {sample.labels["code"]: sample.value for sample in families(answer.text)["ansim_problem"].samples}
    assert problems["database"] == 1 and "ansim_sensors" not in families(answer.text)


def test_no_metric_names_a_sensor(settings, sessions, process):
    keys = vault.open_vault(settings)
    with sessions.begin() as session:
        sensor, _ = enrolment.enrol(session, keys, "hall-with-a-name", "First")
        voice = Voice(sensor)
        heard(session, Pseudonyms(keys), voice.says(), voice.finds())

    assert "hall-with-a-name" not in create_app(settings).test_client().get("/metrics").text
