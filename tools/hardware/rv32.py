"""
MicroPython on a 32-bit RISC-V processor in QEMU, with the same instruction set as an ESP32-C3.

    firmware = build(BUILD)                                       # the program is in its image
    run(firmware, compiler, "tests/support/vectors.py", {"vector.json": data}, ["vector.json"])

The image has what needs no radio and no network: ansim/, the journal, the clock, settings and the sniffer module with
its host backend, without threads. Scripts and their files are a ROMFS image that QEMU puts into memory. Stack and heap
are as small as a chip's.
"""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.hardware import debian_sources
from tools.lib.errors import ToolError

PORT = "ansim-rv32"  # copy of MicroPython's port for QEMU, in ports/ of its source
STACK_BYTES = 15 * 1024
HEAP_BYTES = 80 * 1024  # unless run() is given another size
ARCHITECTURE = "rv32imc"
TOOLS = {
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    "qemu-system-riscv32": "qemu-system-misc",
}
ROM_ADDRESS = 0x84000000  # of the ROMFS image, after 16 bytes: its length and that of the heap, 4 bytes each
HEAP_ADDRESS = 0x85000000
FLASH_ADDRESS = 0x86000000  # 1 MiB that scripts may use as a flash chip
MAIN = "rv32_main"
MAIN_SOURCE = f"""
import gc, sys, uctypes, vfs
size = int.from_bytes(uctypes.bytes_at({ROM_ADDRESS}, 4), "little")
vfs.mount(vfs.VfsRom(memoryview(uctypes.bytearray_at({ROM_ADDRESS + 16}, size))), "/")
with open("/arguments") as file:
    sys.argv.extend(["script"] + file.read().split("\\n"))
sys.path[:] = [".frozen", ""]
gc.collect()
try:
    __import__("script")
except Exception as error:
    sys.print_exception(error)
    print("FAILED")
else:
    print("PASSED")
"""

# (file, text, replacement) in the copy of the port: asyncio and a clock, our stack, our main module and no prompt.
PATCHES = (
    ("mpconfigport.h", "#define MICROPY_PY_SELECT           (0)", "#define MICROPY_PY_SELECT           (1)"),
    ("mpconfigport.h", "#define MICROPY_PY_TIME             (0)", "#define MICROPY_PY_TIME             (1)"),
    ("mpconfigport.h", "#define MICROPY_PY_ASYNCIO          (0)", "#define MICROPY_PY_ASYNCIO          (1)"),
    ("main.c", "static uint32_t gc_heap[MICROPY_HEAP_SIZE / sizeof(uint32_t)];", ""),
    (
        "main.c",
        "gc_init(gc_heap, (char *)gc_heap + MICROPY_HEAP_SIZE)",
        f"gc_init((char *){HEAP_ADDRESS:#x}, (char *){HEAP_ADDRESS:#x} + *(uint32_t *){ROM_ADDRESS + 4:#x})",
    ),
    ("main.c", "mp_stack_set_limit(10240)", f"mp_stack_set_limit({STACK_BYTES - 1024})"),
    (
        "main.c",
        "        for (;;) {\n            if (pyexec_mode_kind",
        f'        pyexec_frozen_module("{MAIN}.py", false);\n        exit(0);\n'
        "        for (;;) {\n            if (pyexec_mode_kind",
    ),
    ("mcu/rv32/virt.ld", "LENGTH = 64K", f"LENGTH = {STACK_BYTES}"),
    (
        "Makefile",
        "LDFLAGS += -mabi=$(RV32_ABI) -march=$(RV32_ARCH)",
        f"LDFLAGS += -mabi=$(RV32_ABI) -march={ARCHITECTURE}",
    ),
)
CLOCK = """
// The machine's timer counts at 10 MHz.
static uint64_t timer_us(void) {
    volatile uint32_t *timer = (volatile uint32_t *)0x0200bff8;
    uint32_t high, low;
    do {
        high = timer[1];
        low = timer[0];
    } while (high != timer[1]);
    return (((uint64_t)high << 32) | low) / 10;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return (mp_uint_t)(timer_us() / 1000);
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)timer_us();
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return (mp_uint_t)timer_us();
}

uint64_t mp_hal_time_ns(void) {
    return timer_us() * 1000;
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t until = timer_us() + us;
    while (timer_us() < until) {
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    mp_hal_delay_us(ms * 1000);
}
"""


def check_tools() -> None:
    """Raise ToolError if the compiler or QEMU is missing."""
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is not installed; on Debian run `apt install {package}`")


def make_port(source: Path) -> Path:
    """Copy MicroPython's port for QEMU and change it; return the copy. Raises ToolError if its text has changed."""
    port, changes = source / "ports" / PORT, repr((PATCHES, CLOCK))
    if (port / "changes").exists() and (port / "changes").read_text() == changes:
        return port  # with its times, so that make has nothing to do
    shutil.rmtree(port, ignore_errors=True)
    shutil.copytree(source / "ports" / "qemu", port)
    for name, text, replacement in PATCHES:
        content = (port / name).read_text()
        if text not in content:
            raise ToolError(f"{port / name} does not have `{text.strip()}`; this MicroPython is not supported")
        (port / name).write_text(content.replace(text, replacement))
    with open(port / "mphalport.c", "a") as file:
        file.write(CLOCK)
    (port / "changes").write_text(changes)
    return port


def build(source: Path, compiler: Path, tree: Path, modules: Path, out: Path) -> Path:
    """
    Build the image; return its path. Raises ToolError.

    source    of MicroPython
    compiler  path of its mpy-cross
    tree      files to freeze; main.py is added
    modules   folder with C modules
    """
    check_tools()
    (tree / f"{MAIN}.py").write_text(MAIN_SOURCE)
    (tree / "socket.py").write_text("AF_INET = SOCK_DGRAM = 0\n")  # this machine has no network
    manifest = out.parent / "manifest-rv32.py"
    manifest.write_text(f'include("$(MPY_DIR)/extmod/asyncio")\nfreeze("{tree}")\n')
    command = ["make", "-C", str(make_port(source)), f"-j{os.cpu_count()}", "BOARD=VIRT_RV32", f"BUILD={out}"]
    command += [f"RV32_ARCH={ARCHITECTURE}_zicsr", "MICROPY_VFS_LFS2=1"]
    command += [f"FROZEN_MANIFEST={manifest}", f"MICROPY_MPYCROSS={compiler}"]
    command += [f"MICROPY_MPYCROSS_DEPENDENCY={compiler}", f"USER_C_MODULES={modules}"]
    debian_sources.run_logged(command, out.parent / f"{out.name}.log")
    return out / "firmware.elf"


def run(
    firmware: Path,
    compiler: Path,
    script: Path,
    files: dict[str, bytes],
    arguments: Sequence[object] = (),
    heap_bytes: int = HEAP_BYTES,
    timeout_s: float = 120,
) -> list[str]:
    """
    Run a script, its `if __name__ == "__main__"` too; return the lines that it prints.

    files      path in the root folder -> content; a .py file is compiled to an .mpy file
    arguments  sys.argv[1:]

    Raises ToolError with the output if the script ends with an exception.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        image = folder / "image"
        contents = dict(files) | {
            "arguments": "\n".join(map(str, arguments)).encode(),
            "script.py": script.read_text().replace('__name__ == "__main__"', "True").encode(),
        }
        data = _romfs(contents, compiler, folder)
        image.write_bytes(struct.pack("<II8x", len(data), heap_bytes) + data)
        command = ["qemu-system-riscv32", "-bios", "none", "-machine", "virt", "-nographic", "-monitor", "null"]
        command += ["-semihosting", "-serial", "stdio", "-kernel", str(firmware)]
        command += ["-device", f"loader,file={image},addr={ROM_ADDRESS:#x},force-raw=on"]
        process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    *lines, last = process.stdout.replace("\r", "").splitlines() or [""]
    if last != "PASSED":
        raise ToolError(f"the script failed on RV32:\n{process.stdout[-2000:]}{process.stderr[-500:]}")
    return lines


def _romfs(contents, compiler, folder):
    """Return a ROMFS image of files."""
    from mpremote.romfs import VfsRomWriter

    tree: dict = {}
    for path, data in contents.items():
        if path.endswith(".py"):
            source, compiled = folder / "source.py", folder / "compiled.mpy"
            source.write_bytes(data)
            command = [str(compiler), "-s", path, f"-march={ARCHITECTURE}", "-o", str(compiled), str(source)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise ToolError(f"{path} does not compile: {done.stderr[-300:]}")
            path, data = path[:-3] + ".mpy", compiled.read_bytes()
        *folders, name = path.split("/")
        place = tree
        for part in folders:
            place = place.setdefault(part, {})
        place[name] = data
    image = VfsRomWriter()

    def add(place):
        for name, content in sorted(place.items()):
            if isinstance(content, dict):
                image.opendir(name)
                add(content)
                image.closedir()
            else:
                image.mkfile(name, content)

    add(tree)
    return image.finalise()
