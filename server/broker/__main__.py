"""`python -m server.broker`: `flask --app server broker` without loading the web pages."""

import sys

from server import config
from server.broker import main

if __name__ == "__main__":
    try:
        main.run(config.from_environment())
    except (config.BadSettings, main.CannotListen) as error:
        sys.exit(f"error: {error}")
