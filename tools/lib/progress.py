"""
A progress bar on stderr, drawn only where a person watches.

    with progress.bar("reading night.pcap", total=size) as advance:
        advance(4096)
"""

import contextlib
import sys


@contextlib.contextmanager
def bar(what: str, total: float | None = None, unit: str = ""):
    """
    Show a bar while the block runs; give it a function advance(amount).

    what    a few words, shown before the bar
    total   what the amounts add up to, None if unknown
    unit    "bytes" writes the amounts as sizes; anything else is shown as it is

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
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda amount: shown.advance(task, amount)


@contextlib.contextmanager
def boards():
    """
    Show a bar for each of several things that go on side by side.

        with progress.boards() as show:
            advance = show("ttyUSB0")
            advance(done, total, "copying")

    Without a terminal on stderr nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield lambda name: lambda done, total, doing: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:

        def show(name):
            task = shown.add_task("connecting", total=None, name=name)
            return lambda done, total, doing: shown.update(task, completed=done, total=total, description=doing)

        yield show
