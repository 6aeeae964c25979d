"""
Pages as PDF, by WeasyPrint, with a Korean font embedded.

    data = pdf.make(html, css)        # raises NotPossible, with what to install

WeasyPrint needs the Pango library of the system, and Korean text needs a font; a server can live without both, and
then people print the same page from their browser.
"""

import os
import sys
from pathlib import Path

# In the order in which they are liked. The first found is embedded.
FONTS = ("NanumGothic.ttf", "NanumBarunGothic.ttf", "NotoSansKR-Regular.otf", "NotoSansCJK-Regular.ttc")
BOLD = {"NanumGothic.ttf": "NanumGothicBold.ttf", "NanumBarunGothic.ttf": "NanumBarunGothicBold.ttf"}
FAMILY = "Ansim Print"
PANGO, FONT = "pango", "font"
ADVICE = {
    PANGO: "PDF needs the Pango library: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
    " (macOS: brew install pango)",
    FONT: "PDF needs a Korean font: apt install fonts-nanum",
}


class NotPossible(Exception):
    """No PDF can be made here. `what` is PANGO or FONT; the text says in one line what to install."""

    def __init__(self, what):
        super().__init__(ADVICE[what])
        self.what = what


def font_folders() -> list[Path]:
    """Where this system keeps fonts."""
    home = Path(os.path.expanduser("~"))
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    if sys.platform == "darwin":
        folders = [Path("/Library/Fonts"), home / "Library/Fonts", *folders]
    if os.name == "nt":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", *folders]
    return [folder for folder in folders if folder.is_dir()]


def find_font(folders=None) -> tuple[Path, Path]:
    """The files of a Korean font, regular and bold (the same if there is no bold). Raises NotPossible."""
    there = {}
    for folder in font_folders() if folders is None else folders:
        for path in folder.rglob("*"):
            if path.suffix.lower() in (".ttf", ".otf", ".ttc"):
                there.setdefault(path.name, path)
    for name in FONTS:
        if name in there:
            return there[name], there.get(BOLD.get(name, ""), there[name])
    raise NotPossible(FONT)


def make(html: str, css: str, folders=None) -> bytes:
    """
    Return the PDF of a page. It may refer to nothing outside itself but `data:`.

    folders  where to look for fonts; None: where the system keeps them
    Raises NotPossible.
    """
    regular, bold = find_font(folders)
    try:
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher
    except OSError:  # WeasyPrint loads the library when it is imported
        raise NotPossible(PANGO) from None
    own = {regular.as_uri(), bold.as_uri()}

    class _Closed(URLFetcher):
        """Nothing is fetched but our own font: the page's texts come from people."""

        def fetch(self, url, headers=None):
            if url not in own and not url.startswith("data:"):
                raise ValueError("a printed page refers to nothing outside itself")
            return super().fetch(url, headers)

    faces = "".join(
        f'@font-face {{ font-family: "{FAMILY}"; font-weight: {weight}; src: url("{path.as_uri()}"); }}\n'
        for weight, path in ((400, regular), (700, bold))
    )
    fetcher, fonts = _Closed(), FontConfiguration()
    style = weasyprint.CSS(
        string=f'{faces}{css}\nhtml {{ font-family: "{FAMILY}"; }}', font_config=fonts, url_fetcher=fetcher
    )
    page = weasyprint.HTML(string=html, url_fetcher=fetcher)
    return page.write_pdf(stylesheets=[style], font_config=fonts)
