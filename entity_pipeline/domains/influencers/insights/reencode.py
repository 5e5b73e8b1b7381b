"""A picture as it is stored and sent: a small JPEG, or nothing. Decoding is the dangerous part, so it is bounded."""

from io import BytesIO

MOST_PIXELS = 25_000_000
SIDE = 512
MOST_BYTES = 400_000
CONTENT_TYPE = "image/jpeg"
_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITIES = (85, 70, 55, 40)


def reencoded(data: bytes) -> bytes | None:
    """The picture with at most 512 pixels a side and 400 kB, without its metadata; None if it can't be decoded.

    The same bytes give the same result.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (SIDE, SIDE))
            image.thumbnail((SIDE, SIDE))
            small = _on_white(image)
        for quality in _QUALITIES:
            written = BytesIO()
            small.save(written, "JPEG", quality=quality)
            if written.tell() <= MOST_BYTES:
                return written.getvalue()
    except Exception:  # noqa: BLE001 - Pillow's parsers raise many kinds on bytes made to break them
        return None
    return None


def _on_white(image):  # type: ignore[no-untyped-def]
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGB", layer.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")
