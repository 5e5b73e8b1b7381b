"""Names of stored objects. Content-addressed: the same bytes have the same key, so storing twice is harmless."""

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def picture_key(sha256: str, content_type: str) -> str:
    """The key of a profile picture, from the lower-case hex hash of its bytes and its verified type.

    Raises:
        KeyError: the type is none of those that a picture may have.
    """
    return f"instagram/profile/{sha256[:2]}/{sha256}.{_EXTENSIONS[content_type]}"
