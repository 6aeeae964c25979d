"""Small photos for tests, with the EXIF data of a camera."""

import io


def jpeg(width=64, height=48, colour="teal", turned=1) -> bytes:
    """A JPEG with a maker, a position and an orientation (1..8) in its EXIF data."""
    from PIL import Image

    image = Image.new("RGB", (width, height), colour)
    exif = image.getexif()
    exif[0x010F] = "Maker of the phone"
    exif[0x0112] = turned
    exif.get_ifd(0x8825)[1] = "N"  # GPS: latitude reference
    made = io.BytesIO()
    image.save(made, "JPEG", exif=exif)
    return made.getvalue()
