"""
Runs in an interpreter that has the program in its image (see test_image.py): what is imported after boot.py?

    micropython image_first_on_micropython.py FLASH

FLASH is a folder that becomes the board's flash. Prints VERSION of `ansim`, and which program the image has.
"""

import sys

import vfs

flash = vfs.VfsPosix(sys.argv[1])
vfs.umount("/")
vfs.mount(flash, "/")
sys.path[:] = ["", ".frozen", "/lib"]  # as on an ESP32
with open("/boot.py") as file:
    exec(compile(file.read(), "/boot.py", "exec"), {"__name__": "__main__"})

from ansim_image import PROGRAM  # noqa: E402

from ansim import VERSION  # noqa: E402

print(VERSION, PROGRAM)
