"""Run jobs in several processes behind a progress bar: used by tools/evaluate.py and tools/fit.py."""

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import TypeVar

from tools.lib import progress

PROCESSES = 2
CHUNK_JOBS = 4  # handed to a process at once

Result = TypeVar("Result")


def run_jobs(title: str, function: Callable[..., Result], jobs: Sequence[tuple]) -> list[Result]:
    """
    Call function(*job) for each job and return the results in the order of the jobs.

    title     shown before the progress bar
    function  a module-level function, because worker processes import it by name
    """
    if not jobs:
        return []
    results = []
    with progress.bar(title, len(jobs)) as advance, concurrent.futures.ProcessPoolExecutor(PROCESSES) as pool:
        for result in pool.map(_call, [(function, job) for job in jobs], chunksize=CHUNK_JOBS):
            results.append(result)
            advance(1)
    return results


def _call(work):
    function, job = work
    return function(*job)
