"""
/main.py: starts the program, and returns to the previous version if one that was installed over the air cannot start.

boot.py has put the folder of the version to run first in sys.path. This file is small, because an update over the air
never replaces it.
"""


def rescue(error):
    """Print the error, leave a slot that cannot be started, and reset."""
    import json
    import os
    import sys
    import time

    import machine

    sys.print_exception(error)
    if sys.path and sys.path[0] in ("/a", "/b"):
        try:
            with open("/slots.json") as file:
                state = json.load(file)
            state["slot"] = state["before"] if state["left"] is not None else ""
            state["left"], state["failed"], state["update"] = None, state["update"], ""
            with open("/slots.json.new", "w") as file:
                json.dump(state, file)
            os.rename("/slots.json.new", "/slots.json")
        except (OSError, ValueError, KeyError, TypeError):
            pass  # boot.py counts the starts as well
    time.sleep(5)  # time to read the error at the console, and to stop
    machine.reset()


try:
    from firmware.start import main

    main()
except Exception as unexpected:
    rescue(unexpected)
