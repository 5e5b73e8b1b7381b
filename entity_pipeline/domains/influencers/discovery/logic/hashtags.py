"""What people write for a hashtag."""

import unicodedata

LONGEST = 150
_ADDRESS = "instagram.com/explore/tags/"


def hashtag_or_none(raw: str) -> str | None:
    """The hashtag that `raw` names, without ``#``, composed (NFC) and in lower case; None if it names none.

    Takes ``#Seoul``, ``Seoul`` and the address of its page. Letters, marks, numbers and the underscore are allowed, as
    Instagram allows them. Not case-folded: that would make ``strasse`` of ``straße``, which is another hashtag.
    """
    text = raw.strip()
    _, is_address, path = text.partition(_ADDRESS)
    if is_address:
        text = path.partition("?")[0].strip("/")
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.lstrip("#\uff03")).lower())
    allowed = all(one == "_" or unicodedata.category(one)[0] in "LMN" for one in text)
    return text if text and allowed and len(text) <= LONGEST else None
