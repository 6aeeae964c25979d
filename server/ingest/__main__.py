"""`python -m server.ingest`: `flask --app server ingest` without loading the web pages."""

import sys

from server import config
from server.ingest import main

if __name__ == "__main__":
    try:
        main.run(config.from_environment())
    except config.BadSettings as error:
        sys.exit(f"error: the settings are not usable:\n{error}")
