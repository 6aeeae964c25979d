"""
The machine of the air lab: a kernel for user-mode Linux, a root folder, the medium; and how it is booted.

    machine.build(Path("airlab"))                      # 1.5 GB, some minutes the first time
    machine.boot(Path("airlab"), scenario, out)        # plays a scenario, writes a pcap and a summary into `out`

Nothing is installed on the computer, and no radio is used. Time in the machine is virtual (time-travel=inf-cpu): it
stands while anything computes and jumps to the next timer when all sleep, so a busy computer changes nothing.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.airlab.scenario import Scenario
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

HERE = Path(__file__).parent
LISTS = HERE / "lists"
MEDIUM = HERE / "medium"

SUITE = "bookworm"  # of the root folder
KERNEL_SOURCE = "linux-source-6.1"
# Processors with AMX have 11,008 bytes of registers to save; 6.1 has room for 2,696 and dies at its first process.
REGISTERS = "DEFINE_LONGS(HOST_FP_SIZE, 2696)", "DEFINE_LONGS(HOST_FP_SIZE, 11264)"
MEMORY = "2000M"
BOOT_WITHIN_S = 1800

# The kernel unmaps what glibc has registered with the host for restartable sequences, and would die of it.
ENVIRON = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}

# program -> Debian package
NEEDED = {
    "bc": "bc",
    "bison": "bison",
    "debootstrap": "debootstrap",
    "flex": "flex",
    "gcc": "gcc",
    "make": "make",
    "openssl": "openssl",
    "ssh-keygen": "openssh-client",
    "xz": "xz-utils",
}


def build(work: Path, show: Callable[[str], object] = print) -> None:
    """
    Make or complete the machine in a folder. What exists already is kept.

    show  called with a line before each step

    Raises ToolError if a program is missing, if a step fails, or if this user is not root.
    """
    if os.geteuid() != 0:
        raise ToolError("debootstrap and user-mode Linux's root folder need root; run it with sudo")
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if missing:
        raise ToolError(f"programs are missing; run `apt install {' '.join(missing)}`")
    _check_path(work)
    work.mkdir(parents=True, exist_ok=True)
    if not kernel(work).exists():
        show("building the kernel (6 minutes of one core)")
        _build_kernel(work)
    if not (root(work) / "usr/bin/ffmpeg").exists():
        show("making the root folder (500 MB)")
        packages = ",".join(read_list("guest-packages.txt"))
        _run(work, "debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root(work)))
    _complete_root(work, show)


def kernel(work: Path) -> Path:
    """Return the kernel's path."""
    return work / "linux"


def root(work: Path) -> Path:
    """Return the machine's root folder."""
    return work / "root"


def read_list(name: str) -> list[str]:
    """Return the words of a file in lists/, without comments."""
    lines = (LISTS / name).read_text().splitlines()
    return [word for line in lines for word in line.split("#")[0].split()]


def compile_medium(program: Path, *more: str) -> None:
    """Compile the medium. Raises ToolError with the compiler's first complaint."""
    sources = [str(path) for path in sorted(MEDIUM.glob("*.c"))]
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", *more, "-o", str(program), *sources, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"the medium does not compile: {done.stderr.partition(chr(10))[0]}")


def boot(work: Path, scenario: Scenario, out: Path) -> dict[str, Any]:
    """
    Play a scenario in a machine of its own; return the guest's summary.

    Writes NAME.SEED.pcap and NAME.SEED.json into `out`, and the programs' output into log/ there. The summary has
    "begun_ns" (when all stations had joined, in the pcap's time), "problems" and "versions". Raises ToolError if the
    machine is not built or wrote no recording.
    """
    if not kernel(work).exists() or not (root(work) / "usr/bin/airlab-medium").exists():
        raise ToolError(f"{work} has no machine; run `python -m tools.airlab build {work}` first")
    for path in (work, out, ROOT):
        _check_path(path)
    out.mkdir(parents=True, exist_ok=True)
    (out / "log").mkdir(exist_ok=True)
    summary, capture = out / f"{scenario.file_name}.json", out / f"{scenario.file_name}.pcap"
    summary.unlink(missing_ok=True)
    capture.unlink(missing_ok=True)
    command = [
        str(kernel(work).resolve()),
        f"mem={MEMORY}",
        "root=host",
        "rootfstype=hostfs",
        f"rootflags={root(work).resolve()}",
        "ro",
        "init=/usr/sbin/airlab-init",
        "time-travel=inf-cpu",
        f"mac80211_hwsim.radios={len(scenario.stations)}",
        "mac80211_hwsim.channels=1",
        "quiet",
        "con=null",
        "con0=null,fd:1",
        f"project={ROOT}",
        f"out={out.resolve()}",
        f"scenario={scenario.name}",
        f"seed={scenario.seed}",
    ]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(work.resolve())
    with (out / "log" / f"{scenario.file_name}.console").open("wb") as console:
        try:
            # It ends by a signal when it powers off, so its exit status says nothing.
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, **ENVIRON, "TMPDIR": memory},
                timeout=BOOT_WITHIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ToolError(f"{scenario.file_name} took longer than {BOOT_WITHIN_S} s; see {console.name}") from None
    if not summary.exists() or not capture.exists():
        raise ToolError(f"{scenario.file_name} was not recorded; see {console.name}")
    return json.loads(summary.read_text())


def _check_path(path):
    if any(character.isspace() for character in str(path.resolve())):
        raise ToolError(f"{path} has a blank in its path, which the kernel's command line cannot carry; use another")


def _run(work, *command, cwd=None, environ=None):
    """Run a step of the build; its output goes to build.log."""
    with (work / "build.log").open("ab") as log:
        done = subprocess.run(
            command, cwd=cwd, stdout=log, stderr=log, env={**os.environ, **(environ or {})}, check=False
        )
    if done.returncode:
        raise ToolError(f"`{command[0]}` failed ({done.returncode}); see the end of {work / 'build.log'}")


def _build_kernel(work):
    source = work / KERNEL_SOURCE
    if not source.exists():
        _run(work, "apt-get", "download", KERNEL_SOURCE, cwd=work)
        package = next(work.glob(f"{KERNEL_SOURCE}_*.deb"))
        _run(work, "dpkg-deb", "-x", package.name, "deb", cwd=work)
        _run(work, "tar", "-xf", f"deb/usr/src/{KERNEL_SOURCE}.tar.xz", cwd=work)
        shutil.rmtree(work / "deb")
        package.unlink()
    offsets = source / "arch/x86/um/user-offsets.c"
    offsets.write_text(offsets.read_text().replace(*REGISTERS))
    environ = {"ARCH": "um"}
    _run(work, "make", "defconfig", cwd=source, environ=environ)
    _run(work, "scripts/config", *read_list("kernel-options.txt"), cwd=source, environ=environ)
    _run(work, "make", "olddefconfig", cwd=source, environ=environ)
    _run(work, "make", f"-j{os.cpu_count()}", "linux", cwd=source, environ=environ)
    part = kernel(work).with_suffix(".part")
    shutil.copy2(source / "linux", part)
    part.replace(kernel(work))


def _complete_root(work, show):
    """Add to the root folder what no Debian package brings, and what the checkout may have changed."""
    folder = root(work)
    for name in ("project", "out", "media"):
        (folder / name).mkdir(exist_ok=True)
    for name in ("hosts", "resolv.conf"):
        (folder / "etc" / name).touch()  # init.py mounts its own over them
    if not (folder / "opt/python").exists():
        show("installing Python packages")
        wanted = [line.split("#")[0].strip() for line in (LISTS / "guest-python.txt").read_text().splitlines()]
        options = ["--target", str(folder / "opt/python"), "--python-version", "3.11", "--only-binary=:all:"]
        _run(work, "python3", "-m", "pip", "install", "-q", *options, *filter(None, wanted))
    keys = folder / "root" / ".ssh"
    if not keys.exists():
        keys.mkdir(mode=0o700)
        _run(work, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "id_ed25519"))
        shutil.copy2(keys / "id_ed25519.pub", keys / "authorized_keys")
    media = folder / "media"
    if not (media / "key.pem").exists():
        files = ["-keyout", str(media / "key.pem"), "-out", str(media / "certificate.pem")]
        subject = ["-days", "3650", "-subj", "/CN=lab"]
        _run(work, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject)
    show("compiling the medium")
    part = folder / "usr/bin/airlab-medium.part"  # a machine that runs keeps the old one
    compile_medium(part, "-static")
    part.replace(folder / "usr/bin/airlab-medium")
    init = folder / "usr/sbin/airlab-init"
    shutil.copy2(HERE / "guest" / "init.py", init)
    init.chmod(0o755)
