"""Metrics of the switches: whether each domain may work, and why not."""

from collections.abc import Mapping, Sequence
from functools import partial

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.metrics.part import Asking, Described, MetricsPart, Samples
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.settings import Closed

FAMILIES: Mapping[str, Described] = {
    "gate_open": Described(
        "Whether the domain may work: switched on, with every setting readable.", ("domain",)
    ),
    "gate_closed": Described("Why the domain may not work; 1 for the current reason.", ("domain", "reason")),
}
OPEN = "open"
CLOSED_REASONS = (
    "no_settings_row",
    "switch_is_empty",
    "switched_off",
    "unreadable_settings",
    "shared_settings",
)


def gates_part(at: Installation, domains: Sequence[Domain]) -> MetricsPart:
    """The part of the settings."""

    def read(asking: Asking) -> Mapping[str, Samples]:
        states = {domain.key: asking.known(partial(gate_state, at, domain)) for domain in domains}
        known = {key: state for key, state in states.items() if state is not None}
        return {
            "gate_open": [((key,), state == OPEN) for key, state in known.items()],
            "gate_closed": [
                ((key, reason), state == reason) for key, state in known.items() for reason in CLOSED_REASONS
            ],
        }

    return MetricsPart(name="settings", families=FAMILIES, read=read)


def gate_state(at: Installation, domain: Domain) -> str:
    """``"open"``, or why the gate is closed, as one of `CLOSED_REASONS`."""
    gate = at.settings.gate(domain.settings)
    if not isinstance(gate, Closed):
        return OPEN
    is_own = gate.reason.values.get("row") == domain.row
    return gate.reason.key if is_own and gate.reason.key in CLOSED_REASONS else "shared_settings"
