"""The pictures of the stand-in's picture hosts: a coloured tile with initials and the word "simulated"."""

import colorsys
import io
from functools import lru_cache

from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.seeded import seeded_share

_SIDE_PX = 150


@lru_cache(maxsize=2_000)
def tile(account: SimulatedAccount, of_post: str = "") -> bytes:
    """A JPEG of 150 x 150 pixels, the same bytes each time for one account, or for one post of it by its number."""
    from PIL import Image, ImageDraw, ImageFont

    red, green, blue = colorsys.hls_to_rgb(seeded_share("hue", account.username + of_post), 0.35, 0.6)
    image = Image.new("RGB", (_SIDE_PX, _SIDE_PX), (int(red * 255), int(green * 255), int(blue * 255)))
    draw = ImageDraw.Draw(image)
    middle = _SIDE_PX // 2
    draw.text(
        (middle, middle - 8), initials(account), fill="white", font=ImageFont.load_default(52), anchor="mm"
    )
    draw.text(
        (middle, _SIDE_PX - 18),
        of_post[-9:] or "simulated",
        fill="white",
        font=ImageFont.load_default(16),
        anchor="mm",
    )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def initials(account: SimulatedAccount) -> str:
    """One or two capitals from the name, or from the handle where the name has no Latin letter."""
    words = [
        word
        for word in account.full_name.removesuffix("(made up)").split()
        if word[0].isascii() and word[0].isalnum()
    ]
    letters = "".join(word[0] for word in words[:2]) or account.username.strip("_.")[:1]
    return letters.upper()
