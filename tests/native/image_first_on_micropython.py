"""
Runs in an interpreter with the program in its image (see test_image.py): prints which program is imported.

    micropython image_first_on_micropython.py FLASH

FLASH is a folder that is used as the board's flash. After running its boot.py, prints VERSION of the imported
`ansim` and the hash of the program in the image.
"""

import sys

import vfs

flash = vfs.VfsPosix(sys.argv[1])  # pyright: ignore[reportAttributeAccessIssue] # the Unix port has it
vfs.umount("/")
vfs.mount(flash, "/")
sys.path[:] = ["", ".frozen", "/lib"]  # as on an ESP32
with open("/boot.py") as file:
    exec(compile(file.read(), "/boot.py", "exec"), {"__name__": "__main__"})

from ansim_image import PROGRAM  # noqa: E402 # pyright: ignore[reportMissingImports] # only in the image

from ansim import VERSION  # noqa: E402

print(VERSION, PROGRAM)
