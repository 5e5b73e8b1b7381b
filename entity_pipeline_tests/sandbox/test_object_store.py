"""The local S3 server, through boto3 as the pipeline uses it."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.resources.r2 import R2Resource
from entity_pipeline.sandbox import processes
from entity_pipeline.sandbox.object_store import RcloneObjectStore
from entity_pipeline.sandbox.ownership import SharedServers

KEY = "profiles/ab/cdef.jpg"


def client(environment: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=environment["R2_ENDPOINT_URL"],
        aws_access_key_id=environment["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["R2_SECRET_ACCESS_KEY"],
        region_name="auto",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def rclones(folder: Path) -> list[str]:
    served: list[str] = []

    def note(arguments: list[str]) -> bool:
        if arguments[1:2] == ["serve"] and str(folder) in arguments[3]:
            served.append(arguments[2])
        return False

    processes.find(note)
    return sorted(served)


@pytest.fixture
def folder(fast_path: Path) -> Iterator[Path]:
    folder = fast_path / "a box"
    yield folder
    RcloneObjectStore(folder).stop()


def test_what_is_put_is_read_back_signed_and_public_and_after_a_restart(folder: Path) -> None:
    store = RcloneObjectStore(folder)
    with SharedServers(folder, [store]):
        first = store.environment()
        for body in (b"\xff\xd8 first", b"\xff\xd8 second"):
            client(first).put_object(Bucket=first["R2_BUCKET"], Key=KEY, Body=body, ContentType="image/jpeg")
            with urllib.request.urlopen(f"{first['R2_PUBLIC_BASE_URL']}/{KEY}", timeout=5) as answer:
                assert (answer.read(), answer.headers["Content-Type"]) == (body, "image/jpeg")
    with SharedServers(folder, [store]):
        assert store.environment() == first
        read = client(first).get_object(Bucket=first["R2_BUCKET"], Key=KEY)["Body"].read()
    assert read == b"\xff\xd8 second"
    assert (folder / "objects" / first["R2_BUCKET"] / KEY).read_bytes() == b"\xff\xd8 second"


def test_the_pipelines_own_client_stores_finds_reads_and_removes(folder: Path) -> None:
    servers = RcloneObjectStore(folder)
    with SharedServers(folder, [servers]):
        values = {name.removeprefix("R2_").lower(): value for name, value in servers.environment().items()}
        store = R2Resource(**values)
        stored = store.put("instagram/profile", b"\xff\xd8", "image/jpeg")
        assert store.put("instagram/profile", b"\xff\xd8", "image/jpeg") == stored
        with urllib.request.urlopen(stored.url, timeout=5) as answer:
            assert answer.read() == b"\xff\xd8"
        assert (store.get(stored.key), store.exists(stored.key)) == (b"\xff\xd8", True)
        store.delete(stored.key)
        store.delete(stored.key)
        assert (store.get(stored.key), store.exists(stored.key)) == (None, False)
        for wrong in ({"bucket": "other"}, {"secret_access_key": "guess"}):
            with pytest.raises(ConfigurationFailure):
                R2Resource(**values | wrong).exists(stored.key)


def test_nothing_is_written_without_the_key_or_through_the_public_side(folder: Path) -> None:
    store = RcloneObjectStore(folder)
    with SharedServers(folder, [store]):
        environment = store.environment()
        stranger = client(environment | {"R2_SECRET_ACCESS_KEY": "guess"})
        with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|AccessDenied|Forbidden"):
            stranger.put_object(Bucket=environment["R2_BUCKET"], Key=KEY, Body=b"x")
        upload = urllib.request.Request(f"{environment['R2_PUBLIC_BASE_URL']}/{KEY}", data=b"x", method="PUT")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(upload, timeout=5)
        refused.value.close()
    assert not (folder / "objects" / environment["R2_BUCKET"] / KEY).exists()


def test_it_ends_with_its_last_user_and_its_secret_is_on_no_command_line(folder: Path) -> None:
    store = RcloneObjectStore(folder)
    with SharedServers(folder, [store]):
        secret = store.environment()["R2_SECRET_ACCESS_KEY"]
        assert processes.find(lambda arguments: secret in " ".join(arguments)) is None
        assert rclones(folder) == ["http", "s3"]
        store.ensure(alone=False)
        assert rclones(folder) == ["http", "s3"]
    assert rclones(folder) == []
