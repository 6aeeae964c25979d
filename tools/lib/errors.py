"""
How a tool fails: in one line that says what, on which thing, and what to try.

    if __name__ == "__main__":
        errors.run(main)
"""

import os
import sys


class ToolError(Exception):
    """What went wrong, in words for the person at the keyboard, and what to try next."""


def run(main) -> None:
    """
    Call main() and end the process with its result.

    A ToolError is printed to stderr as one line, exit status 1; Ctrl-C gives 130, a reader
    that went away (`| head`) 141. Any other exception is our own bug and shows its traceback.
    """
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Python would try to flush stdout once more at exit and print a second error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
