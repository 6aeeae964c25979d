"""The cookie of somebody who has signed in."""

from server.models.people import User
from server.services.people import user_sessions


def cookie_of(session, user: User, language: str = "en") -> dict:
    """Begin a session of a user; return what the cookie then holds. session: a database session that writes."""
    secret = user_sessions.begin(session, user, "Test")
    return {"_user_id": user.get_id(), "_fresh": True, "secret": secret, "language": language}
