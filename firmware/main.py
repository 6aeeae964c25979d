"""
Comes as /main.py, after boot.py, which has put the folder of the version that runs first in sys.path.

Small, because no update over the air replaces it: it starts the program, and if a program from the
air cannot even be started, it goes back to the one before.
"""


def rescue(error):
    """Say what happened; leave a slot that cannot be started; start again."""
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
    time.sleep(5)  # so that somebody at the console can read and stop it
    machine.reset()


try:
    from firmware.start import main

    main()
except Exception as unexpected:
    rescue(unexpected)
