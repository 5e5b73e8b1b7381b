"""The gate behind the port `core.settings.SettingsAccess`."""

from threading import Lock

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.settings import Gate


class FakeSettings:
    """Gives its gates one after the other, the last one for ever; `asked` counts."""

    def __init__(self, *gates: Gate | PipelineFailure) -> None:
        self._gates = gates
        self._lock = Lock()
        self.asked = 0

    def gate(self) -> Gate:
        with self._lock:
            gate = self._gates[min(self.asked, len(self._gates) - 1)]
            self.asked += 1
        if isinstance(gate, PipelineFailure):
            raise gate
        return gate
