"""
Progress bars on stderr, drawn only if that is a terminal.

    with progress.bar("reading night.pcap", total=size) as advance:
        advance(4096)
"""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(title: str, total: float | None = None, unit: str = "") -> Iterator[Callable[[float], None]]:
    """
    Show a bar while the block runs; yield a function advance(amount).

    title   shown before the bar
    total   the sum of all amounts, None if unknown
    unit    "bytes" shows the amounts as sizes; any other value as plain numbers

    Without a terminal on stderr nothing is drawn and advance() costs one empty call.
    """
    if not sys.stderr.isatty():
        yield lambda amount: None
        return
    # Imported here: most runs have no terminal, and rich takes 80 ms to load.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amounts = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amounts, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(title, total=total)
        yield lambda amount: display.advance(task, amount)


@contextlib.contextmanager
def boards() -> Iterator[Callable[[str], Callable[[float, float, str], None]]]:
    """
    Show one bar for each of several boards; yield a function that adds a bar.

        with progress.boards() as show:
            advance = show("ttyUSB0")
            advance(done, total, "copying")     # amounts so far and in all, and the current step

    Without a terminal on stderr nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield lambda name: lambda done, total, step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as display:

        def show(name):
            task = display.add_task("connecting", total=None, name=name)
            return lambda done, total, step: display.update(task, completed=done, total=total, description=step)

        yield show
