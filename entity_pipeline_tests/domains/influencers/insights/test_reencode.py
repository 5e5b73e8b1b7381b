"""Pictures become small, or nothing."""

from io import BytesIO

import pytest
from PIL import Image

from entity_pipeline.domains.influencers.insights.reencode import MOST_BYTES, reencoded
from entity_pipeline_tests.domains.influencers.insights.insight_cases import jpeg


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(BytesIO(data))


def encoded(image: Image.Image, form: str, **how: object) -> bytes:
    written = BytesIO()
    image.save(written, form, **how)
    return written.getvalue()


@pytest.mark.parametrize(
    ("size", "small"),
    [((2_000, 1_000), (512, 256)), ((100, 300), (100, 300)), ((513, 513), (512, 512)), ((1, 1), (1, 1))],
)
def test_a_picture_is_at_most_512_pixels_a_side(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert opened(reencoded(jpeg(size=size))).size == small


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "I;16"])
def test_every_mode_becomes_a_plain_jpeg(form: str, mode: str) -> None:
    try:
        data = encoded(Image.new(mode, (40, 30)), form)
    except (OSError, ValueError):
        data = encoded(Image.new("RGB", (40, 30)), form)
    image = opened(reencoded(data))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 30))


def test_what_is_transparent_is_white() -> None:
    data = encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG")
    assert min(opened(reencoded(data)).getpixel((5, 5))) > 250  # type: ignore[type-var]


def test_noise_stays_below_the_limit_and_metadata_is_gone() -> None:
    noise = Image.effect_noise((1_024, 1_024), 200).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "a place"
    data = reencoded(encoded(noise, "JPEG", quality=95, exif=exif))
    assert data is not None
    assert len(data) <= MOST_BYTES
    assert b"a place" not in data


def test_the_same_bytes_give_the_same_picture() -> None:
    assert reencoded(jpeg()) == reencoded(jpeg())


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"<svg/>", jpeg()[:200], b"GIF89a" + bytes(50)])
def test_what_is_not_a_picture_is_nothing(data: bytes) -> None:
    assert reencoded(data) is None


def test_a_bomb_is_not_decoded() -> None:
    assert reencoded(encoded(Image.new("1", (6_000, 6_000)), "PNG")) is None
