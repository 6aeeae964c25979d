"""Security headers of every response."""

from flask import Flask, Response, current_app, request


def content_security_policy(images: str = "") -> str:
    """
    Return a page's policy: all content comes from this server and no script is inline, so injected markup runs none.

    images  another origin for images, such as that of map tiles
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


def init(app: Flask) -> None:
    """Add the headers to every response of the application."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if current_app.extensions["settings"].https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.endpoint != "static":
        # Pages contain names, which a shared computer should not cache.
        headers.setdefault("Cache-Control", "no-store")
    return response
