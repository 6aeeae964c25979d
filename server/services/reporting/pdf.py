"""
PDF from HTML, by WeasyPrint, with a Korean font embedded.

    data = pdf.make(html, css)        # raises NotPossible, with what to install

WeasyPrint needs the system's Pango library, and Korean text needs a font. Both are optional: without them, print the
same page from the browser.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# In order of preference; the first that is installed is embedded.
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
    """No PDF can be made here. `missing` is PANGO or FONT; the text says what to install."""

    def __init__(self, missing: str):
        super().__init__(ADVICE[missing])
        self.missing = missing


def font_folders() -> list[Path]:
    """Return the font folders of this system."""
    home = Path(os.path.expanduser("~"))
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    if sys.platform == "darwin":
        folders = [Path("/Library/Fonts"), home / "Library/Fonts", *folders]
    if os.name == "nt":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", *folders]
    return [folder for folder in folders if folder.is_dir()]


def find_font(folders: Iterable[Path] | None = None) -> tuple[Path, Path]:
    """Return the files of a Korean font, regular and bold (the same if there is no bold). Raises NotPossible."""
    installed: dict[str, Path] = {}
    for folder in font_folders() if folders is None else folders:
        for path in folder.rglob("*"):
            if path.suffix.lower() in (".ttf", ".otf", ".ttc"):
                installed.setdefault(path.name, path)
    for name in FONTS:
        if name in installed:
            return installed[name], installed.get(BOLD.get(name, ""), installed[name])
    raise NotPossible(FONT)


def make(html: str, css: str, folders: Iterable[Path] | None = None) -> bytes:
    """
    Return the PDF of a page. The page may refer only to `data:` URLs.

    folders  where to look for fonts; None: the system's folders
    Raises NotPossible.
    """
    regular, bold = find_font(folders)
    try:
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher
    except OSError:  # WeasyPrint loads the library when it is imported
        raise NotPossible(PANGO) from None
    allowed = {regular.as_uri(), bold.as_uri()}

    class _Closed(URLFetcher):
        """Fetches nothing but the font: the page holds texts that users entered."""

        def fetch(self, url, headers=None):
            if url not in allowed and not url.startswith("data:"):
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
    content = page.write_pdf(stylesheets=[style], font_config=fonts)
    assert content is not None, "None only if it writes to a target"
    return content
