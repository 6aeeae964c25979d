"""
A client that openapi-python-client generates from the OpenAPI document lists, inspects and exports.

It is used as its author's documentation says, over WSGI instead of a network.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

PACKAGE = "ansim_generated_client"
# The generator knows no JPEG; as a file it is what an octet stream is.
CONFIG = json.dumps({"content_type_overrides": {"image/jpeg": "application/octet-stream"}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def generated(app, folder, monkeypatch):
    """A function that imports a module of the client; the client is generated once."""
    target = folder / PACKAGE
    if not target.exists():
        (folder / "openapi.json").write_bytes(app.test_client().get("/api/v1/openapi.json").data)
        (folder / "config.json").write_text(CONFIG)
        program = Path(sys.executable).with_name("openapi-python-client")
        arguments = ("generate", "--path", "openapi.json", "--output-path", PACKAGE, "--meta", "none")
        made = subprocess.run(
            [program, *arguments, "--config", "config.json", "--fail-on-warning"],
            cwd=folder,
            env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(str(folder))
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


def test_a_generated_client_lists_inspects_and_exports(app, program, generated, room):
    models = generated("models")
    client = generated("client").AuthenticatedClient(
        "http://localhost",
        program("inspector")._token,
        raise_on_unexpected_status=True,
        httpx_args={"transport": httpx.WSGITransport(app=app)},
    )

    def call(module, *arguments, **options):
        return generated(f"api.{module}").sync(*arguments, client=client, **options)

    rooms = call("places.get_places_restrooms", search="1층 여자")
    started = call("inspections.post_inspections_start", body=models.Start(restroom=rooms.items[0].id))
    step = models.StepIn(method=models.StepInMethod.LENS, outcome=models.StepInOutcome.NONE_FOUND)
    call("inspections.post_inspections_step", started.id, body=step)
    result = models.ResultIn(result=models.ResultInResult.NONE_FOUND)
    ended = call("inspections.post_inspections_finish", started.id, body=result)
    exported = generated("api.documents.get_documents_export_inspections").sync_detailed(
        client=client, format_=models.GetDocumentsExportInspectionsFormat.CSV
    )
    changes = call("changes.get_changes_index", changed_since=0)
    again = call("inspections.post_inspections_finish", started.id, body=result)

    assert rooms.items[0].id == room and type(rooms.items[0]) is models.RestroomOut
    assert (ended.result, ended.methods, ended.corrected) == ("none_found", ["lens"], False)
    assert exported.status_code == 200 and started.id in exported.content.decode("utf-8-sig")
    assert [row.kind for row in changes.items] == ["inspection.started", "inspection.step", "inspection.finished"]
    assert changes.items[0].inspection.id == started.id
    assert type(again) is models.Problem and again.code == "finished"


def test_the_generated_client_has_a_function_for_every_operation(app, folder, generated):
    document = json.loads((folder / "openapi.json").read_text())
    modules = [path.stem for path in (folder / PACKAGE / "api").rglob("*.py") if path.stem != "__init__"]

    operations = [row["operationId"] for path in document["paths"].values() for row in path.values()]

    assert sorted(modules) == sorted(operations)
