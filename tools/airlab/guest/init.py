#!/usr/bin/python3
"""
The machine's first process: mounts what programs expect, plays one scenario and powers off.

machine.py copies this file into the root folder. The kernel's command line names the folders of the host:
`project=` the checkout, `out=` where results go, and `scenario=NAME seed=N`.
"""

import ctypes
import os
import subprocess
from pathlib import Path

POWER_OFF = 0x4321FEDC  # reboot(2)

MOUNTS = (
    ("proc", "proc", "/proc", ""),
    ("sysfs", "sys", "/sys", ""),
    ("tmpfs", "run", "/run", ""),
    ("tmpfs", "tmp", "/tmp", ""),
    ("debugfs", "debug", "/sys/kernel/debug", ""),
    ("devpts", "pts", "/dev/pts", ""),
    ("tmpfs", "shm", "/dev/shm", ""),
)


def mount(kind: str, source: str, target: str, options: str) -> None:
    """Mount a file system; a failure shows later, in the program that needs it."""
    os.makedirs(target, exist_ok=True)
    extra = ["-o", options] if options else []
    subprocess.run(["mount", "-t", kind, *extra, source, target], check=False)


def main() -> None:
    for row in MOUNTS:
        mount(*row)
    words = Path("/proc/cmdline").read_text().split()
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    mount("hostfs", "none", "/project", settings["project"])
    mount("hostfs", "none", "/out", settings["out"])
    os.makedirs("/run/sshd", exist_ok=True)
    for name, text in (("hosts", "127.0.0.1 localhost airlab\n"), ("resolv.conf", "")):
        Path("/run", name).write_text(text)
        subprocess.run(["mount", "--bind", f"/run/{name}", f"/etc/{name}"], check=False)
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "PYTHONPATH": "/project:/opt/python",
        "PYTHONPYCACHEPREFIX": "/tmp/python",
    }
    subprocess.run(
        ["python3", "-m", "tools.airlab.guest.play", settings["scenario"], settings["seed"]],
        cwd="/project",
        env=environ,
        check=False,
    )
    os.sync()
    ctypes.CDLL(None).reboot(POWER_OFF)


main()
