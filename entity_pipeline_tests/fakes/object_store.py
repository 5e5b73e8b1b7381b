"""R2 behind the port `core.objects.ObjectStore`: objects in a dict."""

import hashlib

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.objects import StoredObject, object_key


class FakeObjectStore:
    """`failures` are raised by the first puts, one each (None lets that one through); `puts` counts all."""

    def __init__(self, *failures: PipelineFailure | None) -> None:
        self._failures = list(failures)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.puts = 0

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        self.puts += 1
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        sha256 = hashlib.sha256(data).hexdigest()
        key = object_key(prefix, sha256, content_type)
        self.objects[key] = (data, content_type)
        return StoredObject(key, f"https://img.example/{key}", sha256, len(data), content_type)

    def get(self, key: str) -> bytes | None:
        return self.objects[key][0] if key in self.objects else None

    def exists(self, key: str) -> bool:
        return key in self.objects

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
