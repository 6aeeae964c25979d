"""Photos for tests, small, with what cameras write into them."""

import io


def jpeg(width=64, height=48, colour="teal", turned=1) -> bytes:
    """A JPEG with a maker, a position and an orientation (EXIF 1..8) in its notes."""
    from PIL import Image

    image = Image.new("RGB", (width, height), colour)
    exif = image.getexif()
    exif[0x010F] = "Maker of the phone"
    exif[0x0112] = turned
    exif.get_ifd(0x8825)[1] = "N"  # GPS: latitude reference
    made = io.BytesIO()
    image.save(made, "JPEG", exif=exif)
    return made.getvalue()
