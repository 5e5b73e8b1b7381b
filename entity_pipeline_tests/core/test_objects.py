"""Names of stored pictures."""

import pytest

from entity_pipeline.core.objects import picture_key

SHA256 = "ab" + "0" * 62


@pytest.mark.parametrize(
    ("content_type", "extension"), [("image/jpeg", "jpg"), ("image/png", "png"), ("image/webp", "webp")]
)
def test_a_key_is_made_of_the_hash_and_the_type_alone(content_type: str, extension: str) -> None:
    assert picture_key(SHA256, content_type) == f"instagram/profile/ab/{SHA256}.{extension}"


@pytest.mark.parametrize("content_type", ["image/gif", "text/html", "", "IMAGE/JPEG"])
def test_what_is_no_picture_has_no_key(content_type: str) -> None:
    with pytest.raises(KeyError):
        picture_key(SHA256, content_type)
