"""Names of stored objects."""

import pytest

from entity_pipeline.core.objects import object_key

SHA256 = "ab" + "0" * 62


@pytest.mark.parametrize(
    ("content_type", "extension"), [("image/jpeg", "jpg"), ("image/png", "png"), ("image/webp", "webp")]
)
def test_a_key_is_made_of_the_prefix_the_hash_and_the_type_alone(content_type: str, extension: str) -> None:
    """Keys of pictures that are stored already must never change."""
    assert (
        object_key("instagram/profile", SHA256, content_type) == f"instagram/profile/ab/{SHA256}.{extension}"
    )


@pytest.mark.parametrize("content_type", ["image/gif", "text/html", "", "IMAGE/JPEG"])
def test_a_type_without_an_extension_has_no_key(content_type: str) -> None:
    with pytest.raises(ValueError, match="no extension"):
        object_key("instagram/profile", SHA256, content_type)


@pytest.mark.parametrize("prefix", ["", "/", "/a", "a/", "a//b", "../a", "a/..", "A", "a b", "한"])
def test_a_prefix_is_made_of_lower_case_words(prefix: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        object_key(prefix, SHA256, "image/png")


@pytest.mark.parametrize("sha256", ["", "ab", SHA256.upper(), SHA256 + "0", "../" + "0" * 61])
def test_a_hash_is_64_lower_case_hex_digits(sha256: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        object_key("a", sha256, "image/png")
