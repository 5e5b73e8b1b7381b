"""Cloudflare R2, or any S3 server: pictures in, public URLs out.

boto3 adds checksums by default that R2 refuses in places, while every local stand-in accepts them; the
settings that keep it working there are in `client_config` and asserted by a test.
"""

import uuid
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import dagster as dg
from pydantic import Field, PrivateAttr

from entity_pipeline.core.failures import ConfigurationFailure, NotConfigured, TransientFailure

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 3

# Where `check` puts its object.
CHECK_FOLDER = "entity-pipeline-doctor"

_REFUSED_KEY = frozenset(
    (
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "Unauthorized",
    )
)
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
    """A bucket whose objects are read through `public_base_url`. Satisfies `core.profiles.ObjectStore`."""

    endpoint_url: str = Field(description="https://<account>.r2.cloudflarestorage.com, or any S3 server.")
    access_key_id: str = Field(repr=False, description="Access key with object read and write on the bucket.")
    secret_access_key: str = Field(repr=False, description="Its secret.")
    bucket: str = Field(description="Must exist: it is never created here.")
    public_base_url: str = Field(description="Where the bucket is public; an object's URL is <this>/<key>.")

    _lock: Lock = PrivateAttr(default_factory=Lock)
    _s3: Any = PrivateAttr(default=None)

    def put(self, key: str, data: bytes, content_type: str) -> str:
        """Store the bytes under a content-addressed key, unless they are there, and return the public URL.

        Raises:
            NotConfigured: a variable is empty.
            ConfigurationFailure: a variable is wrong, the bucket is missing, or the key is refused.
            TransientFailure: the store can't be reached, is overloaded or broken.
        """
        client = self._client()
        if self._stored_size(client, key) != len(data):
            self._call(client.put_object, Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)
        return f"{self.public_base_url.rstrip('/')}/{quote(key)}"

    def check(self, fetch: Callable[[str], tuple[int, bytes]] | None = None) -> None:
        """Store a few bytes, read them back, look for them at their public URL and delete them.

        `fetch` is given the URL and returns the HTTP status and the body; 0 when nobody answers.

        Raises:
            ConfigurationFailure: as `put` does, or the public URL shows something else.
            TransientFailure: as `put` does.
        """
        key, body = f"{CHECK_FOLDER}/{uuid.uuid4().hex}.txt", uuid.uuid4().bytes
        client = self._client()
        url = self.put(key, body, "text/plain")
        try:
            if self._call(client.get_object, Bucket=self.bucket, Key=key)["Body"].read() != body:
                raise ConfigurationFailure(
                    f"Bucket {self.bucket!r} gives back other bytes than were stored: check R2_ENDPOINT_URL."
                )
            status, shown = (fetch or _fetch)(url)
        finally:
            self._call(client.delete_object, Bucket=self.bucket, Key=key)
        if (status, shown) != (200, body):
            what = {0: "nobody answers", 200: "something else is shown"}.get(status, f"HTTP {status}")
            raise ConfigurationFailure(
                f"R2_PUBLIC_BASE_URL does not show what is stored in bucket {self.bucket!r} ({what}): set it to the "
                "address at which this bucket is public, and check that public access is on."
            )

    def _stored_size(self, client: Any, key: str) -> int | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return int(client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ClientError as error:
            # A HEAD has no body to say why: whatever is wrong, the PUT will name it.
            if not _is_passing(error.response["ResponseMetadata"]["HTTPStatusCode"]):
                return None
            raise self._failure(error) from None
        except BotoCoreError as error:
            raise self._failure(error) from None

    def _call(self, operation: Any, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return operation(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise self._failure(error) from None

    def _client(self) -> Any:
        with self._lock:
            if self._s3 is None:
                self._s3 = self._new_client()
            return self._s3

    def _new_client(self) -> Any:
        import boto3
        from botocore.config import Config

        for field, variable in _VARIABLES.items():
            if not getattr(self, field).strip():
                raise NotConfigured(f"{variable} is empty: set it to use the object store.")
        try:
            return boto3.session.Session().client(
                "s3",
                region_name="auto",
                endpoint_url=self.endpoint_url,
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                config=Config(**client_config()),
            )
        except ValueError:
            raise ConfigurationFailure(
                "R2_ENDPOINT_URL is not a URL: it looks like https://<account>.r2.cloudflarestorage.com."
            ) from None

    def _failure(self, error: Any) -> ConfigurationFailure | TransientFailure:
        # Only the host is named: an address may hold credentials.
        host = urlsplit(self.endpoint_url).hostname or "R2_ENDPOINT_URL"
        response = getattr(error, "response", None)
        if response is None:
            return TransientFailure(
                f"The object store at {host} did not answer ({type(error).__name__}); try again later."
            )
        code = str(response.get("Error", {}).get("Code", "unknown"))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in ("NoSuchBucket", "InvalidBucketName"):
            return ConfigurationFailure(
                f"The object store at {host} has no bucket {self.bucket!r}: create it, or correct R2_BUCKET."
            )
        if code in _REFUSED_KEY or status in (401, 403):
            return ConfigurationFailure(
                f"The object store at {host} refused the key ({code}): check R2_ACCESS_KEY_ID, "
                f"R2_SECRET_ACCESS_KEY and that they may read and write bucket {self.bucket!r}."
            )
        if _is_passing(status):
            return TransientFailure(
                f"The object store at {host} is busy or broken (HTTP {status}, {code}); try again later."
            )
        return ConfigurationFailure(
            f"The object store at {host} refused the request (HTTP {status}, {code}): check R2_ENDPOINT_URL."
        )


def _fetch(url: str) -> tuple[int, bytes]:
    import requests

    try:
        answer = requests.get(url, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    except requests.RequestException:
        return 0, b""
    return answer.status_code, answer.content


def _is_passing(status: int) -> bool:
    return status == 429 or status >= 500
