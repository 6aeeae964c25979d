"""
Source packages of Debian, fetched with apt as an ordinary user.

    source_folder("micropython", BUILD)    # <BUILD>/source/micropython-1.25.0+ds, fetched the first time
"""

import re
import shutil
import subprocess
from pathlib import Path

from tools.lib.errors import ToolError

# The first Debian release with the packages; searched besides the machine's own release.
SOURCE_SUITE = "trixie"

SOURCE_PACKAGES = {"micropython": "py", "mbedtls": "library"}  # package -> a folder in its source


def source_folder(package: str, build: Path) -> Path:
    """
    Return the folder of an unpacked source package in build/source, fetched with apt the first time. Raises ToolError.
    """
    downloads, pattern = build / "source", f"{package}-*/{SOURCE_PACKAGES[package]}"
    folders = sorted(path.parent for path in downloads.glob(pattern))
    if folders:
        return folders[-1]
    if shutil.which("apt-get") is None or shutil.which("dpkg-source") is None:
        raise ToolError(
            f"cannot fetch the source of {package}: it needs apt-get and dpkg-source (`apt install dpkg-dev`)"
        )
    downloads.mkdir(parents=True, exist_ok=True)
    options = _private_apt(downloads / "apt")
    log = build / "source.log"
    run_logged(["apt-get", *options, "update"], log)
    run_logged(["apt-get", *options, "source", package], log, cwd=downloads)
    folders = sorted(path.parent for path in downloads.glob(pattern))
    if not folders:
        raise ToolError(f"apt-get fetched no source of {package}; see {log}")
    return folders[-1]


def _private_apt(folder: Path) -> list[str]:
    """
    Return apt options for a private state folder, so that root is not needed and the machine's state is unchanged.
    """
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    codename = release.get("VERSION_CODENAME", "")
    suites = codename if release.get("ID") != "debian" or codename == "sid" else f"{codename} {SOURCE_SUITE}"
    has_entries = False
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.exists():
            text = source_entries(path.read_text(), codename, suites, stanzas=path.suffix == ".sources")
            has_entries |= bool(text)
            (folder / "sources" / path.name).write_text(text)
    if not has_entries:
        raise ToolError(
            f"apt's sources have no archive of {codename or 'this system'}; building needs Debian or Ubuntu"
        )
    return [
        f"-oDir::Etc::SourceList={folder / 'none'}",
        f"-oDir::Etc::SourceParts={folder / 'sources'}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
    ]


def source_entries(text: str, codename: str, new_suites: str, stanzas: bool) -> str:
    """
    Convert apt's entries for binary packages into entries for source packages.

    text        a .list file, or a .sources file if `stanzas`
    codename    only entries of exactly this suite are converted, so third-party archives are left out
    new_suites  the suites of the new entries, separated by spaces
    """
    entries = []
    if stanzas:
        for stanza in re.split(r"\n\s*\n", text):
            suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
            enabled = not re.search(r"^Enabled:\s*(no|false)", stanza, re.MULTILINE | re.IGNORECASE)
            if suites and codename in suites[1].split() and enabled:
                stanza = re.sub(r"^Types:.*$", "Types: deb-src", stanza, flags=re.MULTILINE)
                entries.append(re.sub(r"^Suites:.*$", f"Suites: {new_suites}", stanza, flags=re.MULTILINE) + "\n")
    else:
        for line in text.splitlines():
            entry = re.match(r"deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$", line.strip())
            if entry and entry[3] == codename:
                entries += [f"deb-src {entry[1] or ''}{entry[2]} {suite} {entry[4]}\n" for suite in new_suites.split()]
    return "\n".join(entries)


def run_logged(command, log: Path, cwd: Path | None = None) -> None:
    """Run a command and append its output to a log. Raises ToolError if it fails."""
    with open(log, "ab") as file:
        if subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=cwd).returncode:
            raise ToolError(f"`{command[0]} ... {command[-1]}` failed; see {log}")
