"""Settings behind the port `core.settings.SettingsAccess`."""

from collections.abc import Collection, Mapping
from threading import Lock
from typing import Any

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.settings import Closed, DomainSettings, Gate, Open, S, SettingsModel, SettingsRow


class FakeSettings:
    """Gives its gates to a domain one after the other and repeats the last one; `asked` counts them.

    Shared rows are open: with the settings of `shared`, else with their defaults. `row` holds what `stored` names,
    and is off where `switched_off` names it.
    """

    def __init__(
        self,
        *gates: Open[Any] | Closed | PipelineFailure,
        shared: tuple[SettingsModel, ...] = (),
        stored: Mapping[type[SettingsModel], Any] | None = None,
        switched_off: Collection[type[SettingsModel]] = (),
    ) -> None:
        self._gates = gates
        self._shared = {type(settings): settings for settings in shared}
        self._stored = stored or {}
        self._switched_off = switched_off
        self._lock = Lock()
        self.asked = 0

    def gate(self, model: type[S]) -> Gate[S]:
        if not issubclass(model, DomainSettings):
            return self._shared_gate(model)
        with self._lock:
            gate = self._gates[min(self.asked, len(self._gates) - 1)]
            self.asked += 1
        if isinstance(gate, PipelineFailure):
            raise gate
        return gate

    def readable(self, model: type[S]) -> S:
        if not issubclass(model, DomainSettings):
            return self._shared.get(model, model())
        gate = self._gates[-1]
        return gate.settings if isinstance(gate, Open) else model()

    def row(self, model: type[SettingsModel]) -> SettingsRow | None:
        is_enabled = not isinstance(self._gates[-1], Closed) if issubclass(model, DomainSettings) else True
        is_enabled = is_enabled and model not in self._switched_off
        if model in self._stored:
            return SettingsRow(is_enabled, self._stored[model])
        return SettingsRow(is_enabled, self.readable(model).model_dump(mode="json", exclude_unset=True))

    def _shared_gate(self, model: type[S]) -> Gate[S]:
        settings = self.readable(model)
        held_because = settings.held_because()
        return Open(settings) if held_because is None else Closed(held_because)
