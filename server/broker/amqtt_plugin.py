"""The rules as an amqtt plugin, and amqtt's broker with three of its habits changed."""

import structlog
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

from server.broker import topic_rules
from server.services.intake import counters

PLUGIN = f"{__name__}.Confine"
MOST_WAITING = 10_000  # messages kept for ingest while it is away; the sensors send again what is dropped

log = structlog.get_logger()


class Confine(BaseAuthPlugin, BaseTopicPlugin):
    """Lets those in whom the gate has checked, and keeps each to its own topics."""

    gate = None  # set once by main.py, before anybody can connect

    async def authenticate(self, *, session) -> bool:
        """True for who came through the gate, where the password was checked."""
        return self.gate is not None and self.gate.has_admitted(session.client_id, session.username)

    async def topic_filtering(self, *, session=None, topic=None, action=None) -> bool:
        """May this client write, subscribe to or receive this topic?"""
        if session is None or not session.username or not topic:
            return False
        if action == Action.PUBLISH:
            allowed = topic_rules.may_write(session.username, topic)
        else:
            allowed = topic_rules.may_read(session.username, topic)
        if not allowed and action != Action.RECEIVE:
            self.gate.refuse(session.username, counters.REFUSED_TOPIC, f"may not {action.value} there")
        return allowed


class _Steady(dict):
    """A dictionary that may change while somebody goes through it."""

    def __iter__(self):
        return iter(list(super().keys()))

    def items(self):
        return list(super().items())


class ConfinedBroker(Broker):
    """amqtt 0.12.1 (pinned); what is private to it here, tests/integration/test_broker.py watches."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        # amqtt goes through its subscriptions with pauses in between, and fails when somebody subscribes
        # meanwhile: a message is lost, or a client thrown out.
        self._subscriptions = _Steady()

    async def _publish_retained_messages_for_subscription(self, subscription, session) -> None:
        # amqtt calls this for every filter anybody has subscribed to, whenever a client connects, and so shows
        # each sensor all the others' retained messages. Only its own subscriptions are its business.
        mine = self._subscriptions.get(subscription[0], ())
        if any(subscriber is session for subscriber, _qos in mine):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _retain_broadcast_message(self, broadcast, qos, target_session) -> None:
        # amqtt keeps without bound what comes for a client that is away.
        waiting = target_session.retained_messages.qsize()
        if waiting < MOST_WAITING:
            await super()._retain_broadcast_message(broadcast, qos, target_session)
        elif waiting == MOST_WAITING:
            # One line: the queue stays this long until the client comes back.
            log.warning("a client is away for long; its messages are dropped", client=target_session.client_id)
