"""Signs for the doors of restrooms, as a page to be printed and as PDF."""

from collections.abc import Iterable

from flask import render_template, request
from flask.typing import ResponseReturnValue

from server.models.places import Restroom
from server.web import page
from server.web.reporting import documents


def public_address(room: Restroom) -> str:
    """Return the address that the code on a restroom's door holds. Raises Refused: public_url_needed."""
    return page.public_address("public.restroom", public_id=room.public_id)


def answer(title: str, rooms: Iterable[Restroom], back: str, back_name: str, pdf: str) -> ResponseReturnValue:
    """
    Return the page with the signs of restrooms, or with ?as=pdf the file.

    back, back_name  address and name of the page above
    pdf              address of the file
    """
    import segno

    made = []
    for room in rooms:
        address = public_address(room)
        code = segno.make(address, error="m", micro=False).svg_data_uri(scale=8, border=2, dark="#000", light="#fff")
        made.append((room, address, code))
    if request.args.get("as") == documents.PDF and made:
        return documents.pdf_answer(
            "places/_signs.html", request.path, f"ansim-signs-{back_name}", title=title, signs=made
        )
    return render_template("places/sign.html", title=title, signs=made, back=back, back_name=back_name, pdf=pdf)
