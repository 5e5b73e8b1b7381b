"""The gate for automation: closed with the reason when it can't be read, because a tick must not fail over it."""

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.settings import Closed, Gate, S, SettingsAccess


def gate_of(settings: SettingsAccess, model: type[S]) -> Gate[S]:
    """Whether the domain of this settings model may work now."""
    try:
        return settings.gate(model)
    except PipelineFailure as failure:
        return Closed.because(str(failure))
