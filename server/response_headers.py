"""The headers every answer carries."""

from flask import current_app, request


def content_security_policy(images: str = "") -> str:
    """
    Return the policy of a page: everything comes from this server, and nothing is inline, so injected markup runs no
    script.

    images  an origin from which this page may show pictures as well, such as a map's
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"img-src 'self' data: blob: {images}".rstrip(),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


CONTENT_SECURITY_POLICY = content_security_policy()


def init(app) -> None:
    """Add the headers to every answer of the application."""
    app.after_request(_add)


def _add(response):
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if current_app.extensions["settings"].https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        # Pages say who inspected what; a shared computer's cache should not.
        headers.setdefault("Cache-Control", "no-store")
    return response
