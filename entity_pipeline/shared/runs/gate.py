"""The gate of a domain, as a tick, a step of a run and a job of its workers ask for it.

The rows `beside` are shared rows without which this work can't be done: their own gates must be open too.
"""

from functools import partial

import dagster as dg

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.patience import patiently
from entity_pipeline.core.settings import Closed, Gate, S, SettingsAccess, SettingsModel

Beside = type[SettingsModel]


def joint_gate(settings: SettingsAccess, model: type[S], *beside: Beside) -> Gate[S]:
    """Open with the domain's settings when the gates of the domain and of the rows `beside` are.

    Raises:
        DatabaseUnavailable: the rows can't be read.
    """
    gate = settings.gate(model)
    for other in beside if not isinstance(gate, Closed) else ():
        shared = settings.gate(other)
        if isinstance(shared, Closed):
            return shared
    return gate


def gate_of(settings: SettingsAccess, model: type[S], *beside: Beside) -> Gate[S]:
    """Whether the domain of this settings model may work now, for automation.

    Closed with the reason when it can't be read, because a tick must not fail over it.
    """
    try:
        return joint_gate(settings, model, *beside)
    except PipelineFailure as failure:
        return Closed.because(str(failure))


def run_if_open(settings: SettingsAccess, model: type[S]) -> dg.RunRequest | dg.SkipReason:
    """The tick of a schedule that needs no other look: one run unless the domain is switched off."""
    gate = gate_of(settings, model)
    return dg.SkipReason(str(gate.reason)) if isinstance(gate, Closed) else dg.RunRequest()


def open_settings(settings: SettingsAccess, model: type[S], *beside: Beside) -> S:
    """The settings with which a step begins its work.

    Raises:
        dg.Failure: the domain is switched off, or settings can't be used. Success would look like finished work.
    """
    gate = patiently(partial(joint_gate, settings, model, *beside))
    if isinstance(gate, Closed):
        raise dg.Failure(str(gate.reason), allow_retries=False)
    return gate.settings
