"""The gate of a domain, as a tick and as a step of a run ask for it."""

from functools import partial

import dagster as dg

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, Gate, S, SettingsAccess


def gate_of(settings: SettingsAccess, model: type[S]) -> Gate[S]:
    """Whether the domain of this settings model may work now, for automation.

    Closed with the reason when it can't be read, because a tick must not fail over it.
    """
    try:
        return settings.gate(model)
    except PipelineFailure as failure:
        return Closed.because(str(failure))


def run_if_open(settings: SettingsAccess, model: type[S]) -> dg.RunRequest | dg.SkipReason:
    """The tick of a schedule that needs no other look: one run unless the domain is switched off."""
    gate = gate_of(settings, model)
    return dg.SkipReason(str(gate.reason)) if isinstance(gate, Closed) else dg.RunRequest()


def open_settings(settings: SettingsAccess, model: type[S]) -> S:
    """The settings with which a step begins its work.

    Raises:
        dg.Failure: the domain is switched off, or its settings can't be used. Success would look like finished work.
    """
    gate = patiently(partial(settings.gate, model))
    if isinstance(gate, Closed):
        raise dg.Failure(str(gate.reason), allow_retries=False)
    return gate.settings
