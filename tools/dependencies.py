#!/usr/bin/env python3
"""
The packages that are installed: `python -m tools.dependencies lock | sbom FILE | audit [--list FILE]`

    lock    write requirements.lock and requirements-server.lock: every package with its version and hashes, for
            Python 3.11 and newer on every system (needs uv and the network)
    sbom    write the packages of a lock file as a CycloneDX 1.6 document
    audit   compare them with known advisories: with a list in OSV's format (a JSON file, a folder or the zip of an
            ecosystem), which works without a network, or else with those that pip-audit gets from its service

Exit status of audit: 0 nothing known, 1 advisories, 2 it could not be checked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tools.lib.paths import ROOT

LOCK, SERVER_LOCK = "requirements.lock", "requirements-server.lock"
LEAST_PYTHON = "3.11"
HEAD = "# Made by `python -m tools.dependencies lock`. Install with: pip install --require-hashes -r {name}\n"
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Package(NamedTuple):
    """
    A package of a lock file.

    name    normalised: "flask-login"
    marker  on which systems it is installed, "" for all
    hashes  SHA-256 of every file that may be installed, hex
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


class Advisory(NamedTuple):
    """An advisory about one package in OSV's format."""

    id: str
    name: str
    summary: str
    affected: dict


def read_lock(path: Path) -> list[Package]:
    """Return the packages of a lock file. Raises ValueError for one without a hash."""
    packages: list[Package] = []
    for line in path.read_text().splitlines():
        match = _PACKAGE.match(line)
        if match:
            packages.append(Package(canonicalize_name(match[1]), match[2], (match[3] or "").strip(), ()))
        elif packages and (found := _HASH.search(line)):
            packages[-1] = packages[-1]._replace(hashes=(*packages[-1].hashes, found[1]))
    for package in packages:
        if not package.hashes:
            raise ValueError(f"{path.name}: {package.name} has no hash")
    return packages


def write_locks() -> None:
    """Write both lock files with uv. Exits if it is not installed or cannot resolve the versions."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("error: uv is not installed; try `pip install uv`")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with tempfile.TemporaryDirectory() as folder:
        server = Path(folder) / "server.in"
        server.write_text("\n".join(project["dependencies"]) + "\n")
        for source, name in ((ROOT / "requirements.txt", LOCK), (server, SERVER_LOCK)):
            made = Path(folder) / name
            options = ["--universal", "--python-version", LEAST_PYTHON, "--generate-hashes", "--no-header", "--quiet"]
            options += [
                "--no-annotate",
                "--no-emit-index-url",
                "--no-emit-find-links",
                "--no-strip-extras",
                "--output-file",
                str(made),
            ]
            if subprocess.run([uv, "pip", "compile", str(source), *options], cwd=ROOT).returncode:
                sys.exit(f"error: uv could not resolve {source.name}; check the network")
            (ROOT / name).write_text(HEAD.format(name=name) + made.read_text())
            print(f"{name}: {len(read_lock(ROOT / name))} packages")


def make_sbom(packages: list[Package]) -> str:
    """Return a CycloneDX 1.6 document, JSON, the same for the same packages."""
    from cyclonedx import model
    from cyclonedx.model import bom as boms
    from cyclonedx.model import component as components
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    # Its serialisation wraps the classes in a way that type checkers do not see through.
    Bom, Component, HashType = cast(Any, (boms.Bom, components.Component, model.HashType))  # noqa: N806
    kinds = components.ComponentType
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bom = Bom()
    bom.metadata.component = Component(
        name=project["name"], version=project["version"], type=kinds.APPLICATION, bom_ref=project["name"]
    )
    for package in packages:
        component = Component(
            name=package.name,
            version=package.version,
            type=kinds.LIBRARY,
            bom_ref=f"{package.name}=={package.version}",
            purl=PackageURL("pypi", None, package.name, package.version),
            hashes=[HashType(alg=model.HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
        )
        bom.components.add(component)
        bom.register_dependency(bom.metadata.component, [component])
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def read_advisories(path: Path) -> Iterator[Advisory]:
    """Yield the advisories about Python packages of a JSON file, a folder or a zip. Raises ValueError or OSError."""
    for text in _texts(path):
        content = json.loads(text)
        for row in content if isinstance(content, list) else [content]:
            if "withdrawn" in row:
                continue
            for affected in row.get("affected", []):
                package = affected.get("package", {})
                if package.get("ecosystem") == "PyPI":
                    name = canonicalize_name(package.get("name", ""))
                    yield Advisory(row.get("id", "?"), name, row.get("summary", ""), affected)


def _texts(path):
    if path.is_dir():
        yield from (file.read_bytes() for file in sorted(path.rglob("*.json")))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".json"))
    else:
        yield path.read_bytes()


def is_affected(version: str, affected: dict) -> bool:
    """Return True if a version is in an advisory's list of versions or in one of its ranges."""
    if version in affected.get("versions", []):
        return True
    return any(
        _in_range(Version(version), row.get("events", []))
        for row in affected.get("ranges", [])
        if row.get("type") == "ECOSYSTEM"
    )


def _in_range(version, events):
    inside = False
    for event in events:
        kind, text = next(iter(event.items()))
        try:
            limit = Version(text)
        except InvalidVersion:
            return True  # it cannot be ruled out
        if kind == "introduced":
            inside = inside or version >= limit
        elif (kind == "fixed" and version >= limit) or (kind == "last_affected" and version > limit):
            inside = False
    return inside


def audit(lock: Path, advisories: Path | None) -> int:
    """Print the advisories about the packages of a lock file; return the exit status."""
    packages = {package.name: package for package in read_lock(lock)}
    if advisories is None:
        return _audit_online(lock)
    try:
        rows = list(read_advisories(advisories))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"not checked: {advisories} cannot be read ({error})", file=sys.stderr)
        return 2
    if not rows:
        print(f"not checked: {advisories} has no advisory about a Python package", file=sys.stderr)
        return 2
    known = [row for row in rows if row.name in packages and is_affected(packages[row.name].version, row.affected)]
    for row in known:
        print(f"{row.name}=={packages[row.name].version}  {row.id}  {row.summary}")
    print(f"{len(packages)} packages, {len(rows)} advisories, {len(known)} apply")
    return 1 if known else 0


def _audit_online(lock):
    if shutil.which("pip-audit") is None:
        print("not checked: pip-audit is not installed; install it, or give a list with --list", file=sys.stderr)
        return 2
    command = [
        "pip-audit",
        "--requirement",
        str(lock),
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    print(done.stdout, end="")
    if done.returncode and "Found" not in done.stderr + done.stdout:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"not checked: pip-audit could not ask its service ({reason[:200]})", file=sys.stderr)
        return 2
    return done.returncode


def main() -> None:
    """Run a command; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.dependencies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lock", type=Path, default=ROOT / LOCK, help="the lock file (default requirements.lock)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock", help="write the lock files")
    commands.add_parser("sbom", help="write a CycloneDX document").add_argument("file", type=Path)
    audit_parser = commands.add_parser("audit", help="compare with advisories")
    audit_parser.add_argument("--list", type=Path, help="advisories in OSV's format: a JSON file, a folder or a zip")
    options = parser.parse_args()
    if options.command == "lock":
        write_locks()
    elif options.command == "sbom":
        options.file.write_text(make_sbom(read_lock(options.lock)))
    else:
        sys.exit(audit(options.lock, options.list))


if __name__ == "__main__":
    main()
