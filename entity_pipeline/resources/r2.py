"""Cloudflare R2, or any S3 server: bytes in, public URLs out. What an object means, and its prefix, belong to domains.

By default boto3 adds checksums that R2 refuses in places, while every local stand-in accepts them. The settings that
avoid this are in `client_config` and asserted by a test.
"""

import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any
from urllib.parse import quote

import dagster as dg
from pydantic import Field, PrivateAttr

from entity_pipeline.core.failures import ConfigurationFailure, NotConfigured, PipelineFailure
from entity_pipeline.core.objects import StoredObject, object_key
from entity_pipeline.core.text.web_address import address_parts
from entity_pipeline.resources.r2_errors import NoSuchObject, failure_of, is_passing

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 3

# The prefix of the object that `check` stores.
CHECK_FOLDER = "entity-pipeline-doctor"

_VARIABLES = {
    "endpoint_url": "R2_ENDPOINT_URL",
    "access_key_id": "R2_ACCESS_KEY_ID",
    "secret_access_key": "R2_SECRET_ACCESS_KEY",
    "bucket": "R2_BUCKET",
    "public_base_url": "R2_PUBLIC_BASE_URL",
}


def client_config() -> dict[str, Any]:
    """The arguments of `botocore.config.Config` that R2 needs; times in seconds."""
    return {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
        "max_pool_connections": 16,
    }


class R2Resource(dg.ConfigurableResource):
    """A bucket whose objects are read through `public_base_url`; a `core.objects.ObjectStore`."""

    endpoint_url: str = Field(description="https://<account>.r2.cloudflarestorage.com, or any S3 server.")
    access_key_id: str = Field(repr=False, description="Access key with object read and write on the bucket.")
    secret_access_key: str = Field(repr=False, description="Its secret.")
    bucket: str = Field(description="Must exist: it is never created here.")
    public_base_url: str = Field(description="Where the bucket is public; an object's URL is <this>/<key>.")

    _lock: Lock = PrivateAttr(default_factory=Lock)
    _s3: Any = PrivateAttr(default=None)

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        """Store the bytes under their content's key, unless they are there already; see `core.objects`."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = object_key(prefix, sha256, content_type)
        if self._stored_size(key) != len(data):
            self._store(key, data, content_type)
        return StoredObject(key, self._url(key), sha256, len(data), content_type)

    def get(self, key: str) -> bytes | None:
        """The bytes of an object, or None; see `core.objects`."""
        try:
            return self._read(key)
        except NoSuchObject:
            return None

    def exists(self, key: str) -> bool:
        """Whether an object has this key; see `core.objects`."""
        # A HEAD that finds nothing does not say whether the bucket exists; the body of a GET does.
        return self._stored_size(key) is not None or self.get(key) is not None

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is not a failure."""
        with suppress(NoSuchObject):
            self._call("delete_object", Key=key)

    def check(self, fetch: Callable[[str], tuple[int, bytes]] | None = None) -> None:
        """Store a few bytes, read them back, fetch them from their public URL and delete them.

        `fetch` is given the URL and returns the HTTP status and the body; 0 when nothing answers.

        Raises:
            ConfigurationFailure: as `put` does, or the public URL returns other content.
            TransientFailure: as `put` does.
        """
        key, body = f"{CHECK_FOLDER}/{uuid.uuid4().hex}.txt", uuid.uuid4().bytes
        self._store(key, body, "text/plain")
        try:
            if self.get(key) != body:
                raise ConfigurationFailure(
                    f"Bucket {self.bucket!r} returns other bytes than were stored: check R2_ENDPOINT_URL."
                )
            status, shown = (fetch or _fetch)(self._url(key))
        finally:
            self.delete(key)
        if (status, shown) != (200, body):
            what = {0: "no server answers", 200: "it returns other content"}.get(status, f"HTTP {status}")
            raise ConfigurationFailure(
                f"R2_PUBLIC_BASE_URL does not serve the objects of bucket {self.bucket!r} ({what}): set it to the "
                "address at which this bucket is public, and check that public access is on."
            )

    def _url(self, key: str) -> str:
        return f"{self.public_base_url.rstrip('/')}/{quote(key)}"

    def _store(self, key: str, data: bytes, content_type: str) -> None:
        self._call("put_object", Key=key, Body=data, ContentType=content_type)

    def _read(self, key: str) -> bytes:
        def read(answer: Any) -> bytes:
            with answer["Body"] as body:
                return bytes(body.read())

        return self._call("get_object", read, Key=key)

    def _stored_size(self, key: str) -> int | None:
        """The size in bytes; None when there is no such object, or the store does not say."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return int(self._client().head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ClientError as error:
            # A HEAD response has no body with the reason; the PUT or GET that follows will report it.
            if not is_passing(error.response["ResponseMetadata"]["HTTPStatusCode"]):
                return None
            raise self._failure(error) from None
        except BotoCoreError as error:
            raise self._failure(error) from None

    def _call(
        self, operation: str, read: Callable[[Any], Any] = lambda answer: answer, **arguments: Any
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            return read(getattr(self._client(), operation)(Bucket=self.bucket, **arguments))
        except (BotoCoreError, ClientError, HTTPError) as error:  # the last from a body that breaks off
            raise self._failure(error) from None

    def _client(self) -> Any:
        with self._lock:
            if self._s3 is None:
                self._s3 = self._new_client()
            return self._s3

    def _new_client(self) -> Any:
        import boto3
        import botocore.session
        from botocore.config import Config

        for field, variable in _VARIABLES.items():
            if not getattr(self, field).strip():
                raise NotConfigured(f"{variable} is empty: set it to use the object store.")
        try:
            # The profile of a developer's shell (AWS_PROFILE) is for other work, and may not exist here.
            session = boto3.session.Session(
                botocore_session=botocore.session.Session({"profile": (None, None, None, None)})
            )
            return session.client(
                "s3",
                region_name="auto",
                endpoint_url=endpoint_of(self.endpoint_url, self.bucket),
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                config=Config(**client_config()),
            )
        except ValueError:
            raise ConfigurationFailure(
                "R2_ENDPOINT_URL is not a URL: set it to an address like https://<account>.r2.cloudflarestorage.com."
            ) from None

    def _failure(self, error: Any) -> PipelineFailure:
        return failure_of(error, self.endpoint_url, self.bucket)


def endpoint_of(url: str, bucket: str) -> str:
    """`url` without the bucket, which R2's dashboard appends to it.

    Raises:
        ConfigurationFailure: another path is appended.
    """
    parts = address_parts(url)
    path = parts.path.strip("/") if parts is not None else ""
    if parts is None or not path:
        return url
    if path != bucket:
        raise ConfigurationFailure(
            f"R2_ENDPOINT_URL ends with /{path}: leave the path out, and name the bucket in R2_BUCKET."
        )
    return parts._replace(path="").geturl()


def _fetch(url: str) -> tuple[int, bytes]:
    import requests

    try:
        answer = requests.get(url, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    except requests.RequestException:
        return 0, b""
    return answer.status_code, answer.content
