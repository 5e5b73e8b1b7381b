import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from entity_pipeline.core.failures import ConfigurationFailure, ObjectRefused, TransientFailure
from entity_pipeline.core.objects import ObjectStore, StoredObject, object_key
from entity_pipeline.resources.r2 import R2Resource
from entity_pipeline.resources.r2_errors import failure_of

ENDPOINT = "https://account.r2.example"
SECRET = "very-secret-value"
PREFIX = "instagram/profile"
SHA256 = hashlib.sha256(b"jpeg").hexdigest()
KEY = object_key(PREFIX, SHA256, "image/jpeg")
STORED = StoredObject(KEY, f"https://img.example/{KEY}", SHA256, 4, "image/jpeg")


def resource(**changed: str) -> R2Resource:
    values = {
        "endpoint_url": ENDPOINT,
        "access_key_id": "the-key-id",
        "secret_access_key": SECRET,
        "bucket": "pictures",
        "public_base_url": "https://img.example/",
    }
    return R2Resource(**(values | changed))


class Answers(BaseHTTPRequestHandler):
    """An S3 server that answers every request with one status and error code."""

    status = 200
    code = ""
    requests: list[str]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.requests.append(self.command)
        body = b"" if self.command == "HEAD" else f"<Error><Code>{self.code}</Code></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET = do_PUT = _answer  # noqa: N815  # the names http.server calls

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def server(status: int, code: str) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    handler = type("Handler", (Answers,), {"status": status, "code": code, "requests": requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", requests
        http.shutdown()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MOTO_S3_CUSTOM_ENDPOINTS", ENDPOINT)
    with mock_aws():
        # R2's region "auto" is unknown to moto, which takes any region for reading and writing.
        client = boto3.client(
            "s3",
            endpoint_url=ENDPOINT,
            region_name="us-east-1",
            aws_access_key_id="other",
            aws_secret_access_key="other",
        )
        client.create_bucket(Bucket="pictures")
        yield client


def test_the_client_is_configured_as_r2_needs_it() -> None:
    client = resource()._client()
    config = client.meta.config

    assert client.meta.endpoint_url == ENDPOINT
    assert client.meta.region_name == "auto"
    assert config.signature_version == "s3v4"
    assert config.s3["addressing_style"] == "path"
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.retries["total_max_attempts"] == 3


def test_the_profile_of_a_developers_shell_is_not_used(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "another-job")
    assert resource().put(PREFIX, b"jpeg", "image/jpeg") == STORED


def test_an_endpoint_with_the_bucket_behind_it_is_taken_without(bucket: Any) -> None:
    assert resource(endpoint_url=f"{ENDPOINT}/pictures/").put(PREFIX, b"jpeg", "image/jpeg") == STORED
    assert bucket.get_object(Bucket="pictures", Key=KEY)["Body"].read() == b"jpeg"


def test_an_endpoint_with_another_path_is_refused() -> None:
    with pytest.raises(ConfigurationFailure, match="ends with /other: leave the path out"):
        resource(endpoint_url=f"{ENDPOINT}/other").put(PREFIX, b"jpeg", "image/jpeg")


def test_a_put_sends_neither_acl_nor_checksum(bucket: Any) -> None:
    sent: list[Any] = []
    store = resource()
    store._client().meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(request)
    )
    store.put(PREFIX, b"jpeg", "image/jpeg")

    (request,) = sent
    headers = {name.lower() for name in request.headers}
    assert request.url == f"{ENDPOINT}/pictures/{KEY}"
    assert not {
        name for name in headers if name.startswith(("x-amz-acl", "x-amz-checksum", "x-amz-sdk-checksum"))
    }


def test_a_picture_is_stored_with_its_type_and_has_a_public_url(bucket: Any) -> None:
    store: ObjectStore = resource()
    assert store.put(PREFIX, b"jpeg", "image/jpeg") == STORED

    stored = bucket.get_object(Bucket="pictures", Key=KEY)
    assert (stored["Body"].read(), stored["ContentType"]) == (b"jpeg", "image/jpeg")


def test_a_stored_picture_is_not_sent_again(bucket: Any) -> None:
    store = resource()
    store.put(PREFIX, b"jpeg", "image/jpeg")
    before = bucket.head_object(Bucket="pictures", Key=KEY)["LastModified"]
    sent: list[str] = []
    store._client().meta.events.register("before-send.s3", lambda request, **_: sent.append(request.method))

    assert store.put(PREFIX, b"jpeg", "image/jpeg") == STORED
    assert sent == ["HEAD"]
    assert bucket.head_object(Bucket="pictures", Key=KEY)["LastModified"] == before


def test_a_picture_that_was_stored_only_in_part_is_sent_again(bucket: Any) -> None:
    bucket.put_object(Bucket="pictures", Key=KEY, Body=b"jp")
    resource().put(PREFIX, b"jpeg", "image/jpeg")
    assert bucket.get_object(Bucket="pictures", Key=KEY)["Body"].read() == b"jpeg"


def test_a_public_url_is_escaped() -> None:
    assert resource()._url("a b/한.jpg") == "https://img.example/a%20b/%ED%95%9C.jpg"


def test_an_object_is_read_found_and_removed(bucket: Any) -> None:
    store: ObjectStore = resource()
    store.put(PREFIX, b"jpeg", "image/jpeg")
    assert (store.get(KEY), store.exists(KEY)) == (b"jpeg", True)
    store.delete(KEY)
    assert (store.get(KEY), store.exists(KEY)) == (None, False)
    store.delete(KEY)


@pytest.mark.parametrize("what", ["get", "exists", "delete"])
def test_a_missing_bucket_is_not_a_missing_object(bucket: Any, what: str) -> None:
    with pytest.raises(ConfigurationFailure, match="no bucket 'other'"):
        getattr(resource(bucket="other"), what)(KEY)


def shown(bucket: Any) -> Callable[[str], tuple[int, bytes]]:
    """The public side of the bucket."""

    def fetch(url: str) -> tuple[int, bytes]:
        key = url.removeprefix("https://img.example/")
        return 200, bucket.get_object(Bucket="pictures", Key=key)["Body"].read()

    return fetch


def test_a_bucket_that_is_there_passes_the_check_and_is_as_before(bucket: Any) -> None:
    resource().check(shown(bucket))
    assert "Contents" not in bucket.list_objects_v2(Bucket="pictures")
    with pytest.raises(ConfigurationFailure, match="no bucket 'other': create it, or correct R2_BUCKET"):
        resource(bucket="other").check(shown(bucket))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((404, b""), "HTTP 404"),
        ((200, b"parked"), "it returns other content"),
        ((0, b""), "no server answers"),
    ],
)
def test_a_public_address_that_does_not_show_the_object_is_named(
    bucket: Any, answer: tuple[int, bytes], what: str
) -> None:
    with pytest.raises(ConfigurationFailure, match=f"R2_PUBLIC_BASE_URL does not serve .*{what}"):
        resource().check(lambda _: answer)
    assert "Contents" not in bucket.list_objects_v2(Bucket="pictures")


def test_a_missing_bucket_is_named_and_never_created(bucket: Any) -> None:
    with pytest.raises(ConfigurationFailure, match="no bucket 'other': create it, or correct R2_BUCKET"):
        resource(bucket="other").put(PREFIX, b"jpeg", "image/jpeg")
    assert [one["Name"] for one in bucket.list_buckets()["Buckets"]] == ["pictures"]


@pytest.mark.parametrize(
    ("status", "code", "failure", "sentence"),
    [
        (403, "InvalidAccessKeyId", ConfigurationFailure, "refused the key"),
        (403, "SignatureDoesNotMatch", ConfigurationFailure, "refused the key"),
        (403, "AccessDenied", ConfigurationFailure, "refused the key"),
        (401, "Unauthorized", ConfigurationFailure, "refused the key"),
        (404, "NoSuchBucket", ConfigurationFailure, "has no bucket"),
        (400, "InvalidArgument", ConfigurationFailure, "refused the request"),
        (400, "EntityTooLarge", ObjectRefused, "does not take this object"),
        (413, "Unknown", ObjectRefused, "does not take this object"),
        (429, "TooManyRequests", TransientFailure, "busy or broken"),
        (503, "SlowDown", TransientFailure, "busy or broken"),
        (500, "InternalError", TransientFailure, "busy or broken"),
    ],
)
def test_what_the_store_refuses_becomes_one_sentence(
    status: int, code: str, failure: type[Exception], sentence: str
) -> None:
    with server(status, code) as (url, requests), pytest.raises(failure, match=sentence) as raised:
        resource(endpoint_url=url).put(PREFIX, b"jpeg", "image/jpeg")
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(requests) <= 4


def test_an_upload_that_arrived_too_slowly_is_worth_another_try() -> None:
    error = ClientError(
        {"Error": {"Code": "RequestTimeout"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "PutObject"
    )
    assert isinstance(failure_of(error, ENDPOINT, "pictures"), TransientFailure)


def test_a_store_that_does_not_answer_is_worth_another_try() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as closed:
        port = closed.server_port
    with pytest.raises(TransientFailure, match="did not answer"):
        resource(endpoint_url=f"http://127.0.0.1:{port}").put(PREFIX, b"jpeg", "image/jpeg")


@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("endpoint_url", "R2_ENDPOINT_URL"),
        ("access_key_id", "R2_ACCESS_KEY_ID"),
        ("secret_access_key", "R2_SECRET_ACCESS_KEY"),
        ("bucket", "R2_BUCKET"),
        ("public_base_url", "R2_PUBLIC_BASE_URL"),
    ],
)
def test_an_empty_variable_is_named(field: str, variable: str) -> None:
    with pytest.raises(ConfigurationFailure, match=f"{variable} is empty"):
        resource(**{field: " "}).put(PREFIX, b"jpeg", "image/jpeg")


@pytest.mark.parametrize("url", ["not a url", "http://[", "bucket.example"])
def test_an_endpoint_that_is_not_a_url_is_named(url: str) -> None:
    with pytest.raises(ConfigurationFailure, match="R2_ENDPOINT_URL is not a URL"):
        resource(endpoint_url=url).put(PREFIX, b"jpeg", "image/jpeg")


def test_no_secret_is_in_what_a_log_could_show() -> None:
    store = resource()
    store._client()
    assert SECRET not in f"{store!r} {store} {store._client()!r} {store._client().meta.config!r}"
    assert "the-key-id" not in repr(store)


def test_it_takes_its_values_from_the_environment_when_a_run_starts(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_URL": ENDPOINT, "SECRET_ACCESS_KEY": SECRET, "BUCKET": "pictures"}.items():
        monkeypatch.setenv(f"R2_{name}", value)

    @dg.asset
    def picture(r2: R2Resource) -> str:
        return r2.put(PREFIX, b"jpeg", "image/jpeg").url

    configured = R2Resource(
        endpoint_url=dg.EnvVar("R2_ENDPOINT_URL"),
        access_key_id="the-key-id",
        secret_access_key=dg.EnvVar("R2_SECRET_ACCESS_KEY"),
        bucket=dg.EnvVar("R2_BUCKET"),
        public_base_url="https://img.example",
    )
    done = dg.materialize([picture], resources={"r2": configured})
    assert done.output_for_node("picture") == f"https://img.example/{KEY}"


def test_importing_the_module_does_not_import_boto3() -> None:
    script = "import sys, entity_pipeline.resources.r2; sys.exit('boto3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert done.returncode == 0
