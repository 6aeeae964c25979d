"""Webhooks: subscriptions of notifications by programs."""

from apiflask import APIBlueprint
from flask import Response, current_app
from sqlalchemy.orm import Session

from server.api import PREFIX, authentication, responses, schemas
from server.models.outside import WEBHOOK, Delivery, Subscription
from server.services.outside import delivery_queue, subscriptions
from server.services.people import accounts, scopes

bp = APIBlueprint("webhooks", __name__, url_prefix=PREFIX)


@bp.get("/webhooks")
@bp.output(schemas.WebhooksOut)
@authentication.needs(accounts.MANAGE)
def index() -> dict:
    """The running webhooks that the person may manage; not paged."""
    with authentication.sessions()() as session:
        rows = subscriptions.list_subscriptions(session, authentication.user())
        return {"items": [_webhook_out(row) for row in rows if row.way == WEBHOOK]}


@bp.post("/webhooks")
@bp.input(schemas.WebhookIn)
@bp.output(schemas.WebhookMade, status_code=201)
@authentication.needs(accounts.MANAGE)
def add(json_data: schemas.WebhookIn) -> Response:
    """Add a webhook. Its signing key is shown only here."""

    def work(session: Session) -> responses.Work:
        user = authentication.user()
        places = scopes.load_grantable(session, user, [json_data.place]) if json_data.place else []
        subscription, secret = subscriptions.subscribe(
            session,
            current_app.extensions["vault"],
            user,
            json_data.name,
            json_data.kinds,
            WEBHOOK,
            json_data.url,
            place=places[0].row if places else None,
            language=json_data.language,
            private_targets=current_app.extensions["settings"].notice_private,
        )
        made = schemas.WebhookMade(**_webhook_out(subscription), secret=secret or "")
        return made, 201, f"{PREFIX}/webhooks/{subscription.public_id}"

    return responses.once(authentication.user(), work, secret=True)


@bp.get("/webhooks/<public_id>")
@bp.output(schemas.WebhookOut)
@authentication.needs(accounts.MANAGE)
def show(public_id: str) -> dict:
    """One webhook."""
    with authentication.sessions()() as session:
        return _webhook_out(_load(session, public_id))


@bp.get("/webhooks/<public_id>/deliveries")
@bp.output(schemas.DeliveriesOut)
@authentication.needs(accounts.MANAGE)
def list_deliveries(public_id: str) -> dict:
    """The newest 50 deliveries to a webhook, newest first."""
    with authentication.sessions()() as session:
        rows = delivery_queue.list_deliveries(session, authentication.user(), subscription=_load(session, public_id))
        return {"items": [_delivery_out(row) for row in rows]}


@bp.post("/webhooks/<public_id>/test")
@bp.output(schemas.DeliveryOut, status_code=201)
@authentication.needs(accounts.MANAGE)
def test(public_id: str) -> Response:
    """Send a test to a webhook within seconds; its deliveries show the outcome."""

    def work(session: Session) -> responses.Work:
        _load(session, public_id)
        delivery = subscriptions.send_test(session, authentication.user(), public_id)
        return schemas.DeliveryOut(**_delivery_out(delivery)), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/webhooks/<public_id>/end")
@bp.output(schemas.WebhookOut, status_code=201)
@authentication.needs(accounts.MANAGE)
def end(public_id: str) -> Response:
    """End a webhook: nothing more is sent to it."""

    def work(session: Session) -> responses.Work:
        subscription = _load(session, public_id)
        subscriptions.end(session, authentication.user(), public_id)
        return schemas.WebhookOut(**_webhook_out(subscription)), 201, ""

    return responses.once(authentication.user(), work)


def _load(session: Session, public_id: str) -> Subscription:
    return subscriptions.load(session, authentication.user(), public_id, way=WEBHOOK)


def _webhook_out(subscription: Subscription) -> dict:
    place = subscription.facility or subscription.organisation
    return {
        "id": subscription.public_id,
        "name": subscription.name,
        "kinds": subscription.kinds,
        "host": subscription.shown,
        "place": place.public_id if place else None,
        "language": subscription.language,
        "created_s": subscription.created_s,
        "ended_s": subscription.ended_s,
    }


def _delivery_out(delivery: Delivery) -> dict:
    is_over = delivery.ended_s is not None
    return {
        "notification": delivery.notification.public_id,
        "kind": delivery.notification.kind,
        "status": ("sent" if delivery.sent else "failed") if is_over else "waiting",
        "tries": delivery.tries,
        "error": delivery.error,
        "due_s": None if is_over else delivery.due_s,
        "ended_s": delivery.ended_s,
    }
