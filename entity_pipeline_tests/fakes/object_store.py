"""R2 behind the port `core.profiles.ObjectStore`: objects in a dict."""

from entity_pipeline.core.failures import PipelineFailure


class FakeObjectStore:
    """`failures` are raised by the first puts, one each (None lets that one through); `puts` counts all."""

    def __init__(self, *failures: PipelineFailure | None) -> None:
        self._failures = list(failures)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.puts = 0

    def put(self, key: str, data: bytes, content_type: str) -> str:
        self.puts += 1
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.objects[key] = (data, content_type)
        return f"https://img.example/{key}"
