"""
The scenarios of the air lab, as data.

    for scenario in scenarios.ALL: ...
    scenarios.by_name("cam_mjpeg_5fps")

Scenarios with `is_held_out` are for scoring only: nothing may be fitted on them.
"""

from tools.airlab.scenario import Scenario
from tools.airlab.scenarios import cameras, devices, places
from tools.lib.errors import ToolError

ALL: tuple[Scenario, ...] = (*cameras.SCENARIOS, *devices.SCENARIOS, *places.SCENARIOS)


def by_name(name: str) -> Scenario:
    """Return a scenario. Raises ToolError if there is none of that name."""
    for scenario in ALL:
        if scenario.name == name:
            return scenario
    raise ToolError(f"there is no scenario {name}; `python -m tools.airlab list` prints them")
