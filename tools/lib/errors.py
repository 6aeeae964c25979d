"""
How a tool reports a failure: one line that names the problem, the thing it concerns, and what to try.

    if __name__ == "__main__":
        errors.run(main)
"""

import os
import sys
from collections.abc import Callable


class ToolError(Exception):
    """A failure to show to the user: the problem, the thing it concerns, and what to try next."""


def run(main: Callable[[], int | None]) -> None:
    """
    Call main() and exit the process with its result.

    A ToolError is printed to stderr as one line with exit status 1. Ctrl-C exits with 130, a closed
    output pipe (`| head`) with 141. Any other exception is a bug of ours and shows its traceback.
    """
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Python would flush stdout once more at exit and print a second error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
