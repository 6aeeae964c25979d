"""Steps of an inspection that a test expects to be recorded."""

from server.models.inspections import Inspection, InspectionStep
from server.services.inspecting import inspections


def recorded_step(inspection: Inspection, method: str) -> InspectionStep:
    """The step that counts of a method; fails if there is none."""
    step = inspections.current_steps(inspection)[method]
    assert step is not None, f"{method} is not recorded"
    return step
