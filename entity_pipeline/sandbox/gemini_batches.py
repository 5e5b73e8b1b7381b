"""The stand-in's files and batches, with the bad days that the real ones have, and an account of what it billed.

A bad day is a word in `BadDays`. As the real service does, it makes a batch of every request to create one, matches
answers by key only, and forgets its uploads' hosts: the client names the address.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import IO, Any
from uuid import uuid4

from entity_pipeline.sandbox.gemini_batch_values import BadDays, Billed
from entity_pipeline.sandbox.gemini_errors import (
    file_is_gone,
    invalid_argument,
    not_found,
    trouble,
    unsupported_mime_type,
)
from entity_pipeline.sandbox.loopback_http import Reply, Request, json_reply

_CREATE = re.compile(r"/v1beta/models/([^/:]+):batchGenerateContent")
_BATCH = re.compile(r"/v1beta/(batches/[^/:]+)(:cancel)?")
_DOWNLOAD = re.compile(r"/v1beta/(files/[^/:]+):download")
_FILE = re.compile(r"/v1beta/(files/[^/:]+)")
_UPLOAD = "/upload/v1beta/files"
_ENDED = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})
_WITHOUT_RESULTS = frozenset({"FAILED", "CANCELLED", "EXPIRED"})

# The result of a request is missing, comes twice, is cut off, comes beside one of another batch, or is an error.
ODD_ROWS = frozenset({"missing_once", "doubled_once", "broken_once", "foreign_once", "error_once"})
Answer = Callable[[Mapping[str, Any], str], tuple[str, dict[str, Any]]]


@dataclass
class _Batch:
    name: str
    display_name: str
    model: str
    file: str
    created_at: str
    state: str = "PENDING"
    looks: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    results: str = ""


class GeminiBatches:
    """Files and batches; `answer` gives one of `ODD_ROWS` (or nothing) and a reply, `url` the server's address."""

    def __init__(self, answer: Answer, url: Callable[[], str]) -> None:
        self._answer = answer
        self._url = url
        self._lock = RLock()
        self._files: dict[str, IO[bytes]] = {}
        # Of the uploads; results have no name of their own and are not listed.
        self._names_of_files: dict[str, str] = {}
        self._batches: dict[str, _Batch] = {}
        self.bad_days = BadDays()
        self.billed: list[Billed] = []

    @property
    def display_names(self) -> list[str]:
        """The display name of each batch that was made, oldest first."""
        return [batch.display_name for batch in self._batches.values()]

    @property
    def uploads(self) -> list[str]:
        """The display name of each uploaded file that was not deleted, oldest first."""
        return list(self._names_of_files.values())

    def reply(self, request: Request) -> Reply | None:
        """The reply to a request about files or batches; None if it is about something else."""
        with self._lock:
            if request.path == _UPLOAD:
                return self._upload(request)
            if (found := _CREATE.fullmatch(request.path)) is not None:
                return self._create(found[1], request)
            if request.path == "/v1beta/batches":
                return self._list(request)
            if (found := _BATCH.fullmatch(request.path)) is not None:
                return self._one(found[1], cancels=bool(found[2]))
            if request.path == "/v1beta/files":
                return self._list_files(request)
            if request.method == "DELETE" and (found := _FILE.fullmatch(request.path)) is not None:
                return self._delete_file(found[1])
            if (found := _DOWNLOAD.fullmatch(request.path)) is not None:
                return self._download(found[1])
        return None

    def close(self) -> None:
        """Delete the files."""
        for file in self._files.values():
            file.close()

    def _upload(self, request: Request) -> Reply:
        commands = request.headers.get("x-goog-upload-command", "")
        bad = self.bad_days.upload.pop(0) if self.bad_days.upload else ""
        if bad == "dropped":
            return Reply(drop=True)
        if commands == "start":
            if bad == "mime":
                return unsupported_mime_type(request.headers.get("x-goog-upload-header-content-type", ""))
            name = f"files/{uuid4().hex[:12]}"
            self._files[name] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the server
            described = json.loads(request.body or b"{}").get("file", {})
            self._names_of_files[name] = described.get("display_name") or described.get("displayName") or ""
            return Reply(
                200, b"{}", headers={"X-Goog-Upload-URL": f"{self._url()}{_UPLOAD}?upload_id={name}"}
            )
        name = request.query["upload_id"][0]
        if bad == "piece":
            return trouble("internal")
        self._files[name].seek(int(request.headers["x-goog-upload-offset"]))
        self._files[name].write(request.body)
        if "finalize" not in commands:
            return Reply(200, b"{}", headers={"X-Goog-Upload-Status": "active"})
        done = {} if bad == "no_file" else {"file": {"name": name, "state": "ACTIVE"}}
        return Reply(200, json.dumps(done).encode(), headers={"X-Goog-Upload-Status": "final"})

    def _create(self, model: str, request: Request) -> Reply:
        bad = self.bad_days.create.pop(0) if self.bad_days.create else ""
        if bad and not bad.endswith("_made"):
            return (
                invalid_argument("Request contains an invalid argument.")
                if bad == "invalid"
                else trouble(bad)
            )
        asked = json.loads(request.body).get("batch", {})
        file = asked.get("inputConfig", {}).get("fileName", "")
        if file not in self._files:
            return not_found(file)
        for _ in range(2 if bad == "twice_made" else 1):
            batch = _Batch(
                f"batches/{uuid4().hex[:20]}",
                asked.get("displayName", ""),
                model,
                file,
                datetime.now(UTC).isoformat(),
            )
            self._batches[batch.name] = batch
        if bad == "dropped_made":
            return Reply(drop=True)
        if bad in ("overloaded_made", "twice_made"):
            return trouble("overloaded")
        return json_reply({} if bad == "empty_made" else self._shown(batch))

    def _list(self, request: Request) -> Reply:
        size = self.bad_days.page_size
        start = int(next(iter(request.query.get("pageToken", [])), "") or 0)
        newest = list(reversed(self._batches.values()))
        page: dict[str, Any] = {"operations": [self._shown(batch) for batch in newest[start : start + size]]}
        if start + size < len(newest):
            page["nextPageToken"] = str(start + size)
        return json_reply(page if page["operations"] else {})

    def _list_files(self, request: Request) -> Reply:
        size = self.bad_days.page_size
        start = int(next(iter(request.query.get("pageToken", [])), "") or 0)
        newest = list(reversed(self._names_of_files.items()))
        shown = [{"name": name, "displayName": shown} for name, shown in newest[start : start + size]]
        page: dict[str, Any] = {"files": shown} if shown else {}
        if start + size < len(newest):
            page["nextPageToken"] = str(start + size)
        return json_reply(page)

    def _delete_file(self, name: str) -> Reply:
        if self._names_of_files.pop(name, None) is None:
            return file_is_gone(name)
        self._files.pop(name).close()
        return json_reply({})

    def _one(self, name: str, *, cancels: bool) -> Reply:
        batch = self._batches.get(name)
        if batch is None:
            return not_found(name)
        if cancels:
            if batch.state not in _ENDED:
                batch.state = "CANCELLED"
            return json_reply({})
        batch.looks += 1
        if batch.state not in _ENDED:
            batch.state = "RUNNING"
            if batch.looks > self.bad_days.looks_until_ended:
                batch.state = self.bad_days.ends_as
                if batch.state in _ENDED - _WITHOUT_RESULTS:
                    self._work(batch)
        return json_reply(self._shown(batch))

    def _download(self, name: str) -> Reply:
        if name not in self._files or "gone" in self.bad_days.results:
            return file_is_gone(name)
        self._files[name].seek(0)
        body = self._files[name].read()
        if "cut" in self.bad_days.results:
            self.bad_days.results.discard("cut")
            return Reply(drop=True)
        return Reply(200, body, "application/octet-stream")

    def _work(self, batch: _Batch) -> None:
        """Answer every request of a batch, and bill what was answered, whether its result is found or not."""
        bad, broken = self.bad_days.results, b""
        lines: list[dict[str, Any]] = []
        for nth, asked in enumerate(_requests(self._files[batch.file])):
            key = asked["key"]
            if "errors" in bad and nth % 3 == 0:
                lines.append({"error": _ERRORS[nth // 3 % len(_ERRORS)], "key": key})
                continue
            odd, body = self._answer(asked["request"], batch.model)
            if odd == "error_once":
                lines.append({"error": _ERRORS[1], "key": key})
                continue
            usage = body["usageMetadata"]
            output = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
            self.billed.append(Billed(batch.name, key, batch.model, usage["promptTokenCount"], output))
            if "no_usage" in bad:
                del body["usageMetadata"]
            if "separators" in bad:
                body["note"] = "a\u2028b\u2029c\x85d"
            line = {"response": body, "key": key}
            if odd == "broken_once":
                broken += json.dumps(line).encode()[:-20] + b"\n"
            elif odd != "missing_once":
                lines += [line, line] if odd == "doubled_once" else [line]
            if odd == "foreign_once":
                lines.append({**line, "key": "of another batch"})
        batch.lines = _spoilt(lines, bad)
        if "inline" not in bad:
            batch.results = f"files/batch-{uuid4().hex}"
            self._files[batch.results] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the server
            for line in batch.lines:
                self._files[batch.results].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._files[batch.results].write(broken)
            if "broken_lines" in bad:
                self._files[batch.results].write(
                    b'{"response": {"cand\n\n[1, 2]\nnull\n\xff\xfe\n' + b"[" * 5_000 + b"\n"
                )

    def _shown(self, batch: _Batch) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "displayName": batch.display_name,
            "state": f"{self.bad_days.prefix}{batch.state}",
            "createTime": batch.created_at,
            "model": f"models/{batch.model}",
        }
        shown: dict[str, Any] = {"name": batch.name, "metadata": metadata}
        if batch.state in _ENDED:
            shown["done"] = batch.state != "PARTIALLY_SUCCEEDED"
        if batch.state == "FAILED":
            shown["error"] = {
                "code": 13,
                "message": "The batch failed.",
                "details": [{"@type": "any", "n": 1}],
            }
        if batch.results:
            metadata["output"] = {"responsesFile": batch.results}
        elif batch.lines:
            inline = [{**line, "metadata": {"key": line["key"]}} for line in batch.lines]
            for line in inline:
                del line["key"]
            metadata["output"] = {"inlinedResponses": {"inlinedResponses": inline}}
        return shown


def _requests(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    file.seek(0)
    for line in file:
        yield json.loads(line)


def _spoilt(lines: list[dict[str, Any]], bad: set[str]) -> list[dict[str, Any]]:
    """The results in another order than the requests, and those that are missing, doubled or of others."""
    lines.reverse()
    if "half_missing" in bad:
        lines = lines[::2]
    if "doubled" in bad:
        lines += lines[:2]
    if "foreign" in bad:
        lines += [
            {**lines[0], "key": "of another batch"},
            {key: lines[0][key] for key in lines[0] if key != "key"},
        ]
    return lines


_ERRORS: list[dict[str, Any]] = [
    {
        "code": 3,
        "message": "Unable to process input image.",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "parts"}]}
        ],
    },
    {"code": 13, "message": "Internal error encountered."},
    {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"},
]
