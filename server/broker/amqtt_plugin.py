"""The topic rules as an amqtt plugin, and amqtt's broker with four corrections."""

import time
from typing import Any, Protocol

import structlog
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from server.broker import topic_rules
from server.services.intake import counters

PLUGIN = f"{__name__}.AccessPlugin"
MAX_WAITING = 10_000  # messages kept for ingest while it is away; the sensors send again what is dropped
MAX_BACKLOG = 5000  # messages on their way to their receivers; beyond it, sensors are not read
MAX_OF_CLIENT = 200  # messages of one client that are not on their way yet
_LOOK_EVERY_S = 0.02  # how often the backlog is counted
_QOS_1 = 1

log = structlog.get_logger()


class Listener(Protocol):
    """What the plugin needs of listener.Listener."""

    def is_authenticated(self, client_id: str | None, user: str | None) -> bool: ...
    def reject(self, user: str, reason: str, detail: str) -> None: ...


class AccessPlugin(BaseAuthPlugin, BaseTopicPlugin):
    """Accepts clients that the listener has authenticated, and confines each to its own topics."""

    listener: Listener | None = None  # set once by main.py, before it listens

    async def authenticate(self, *, session: Session) -> bool:
        """Return True for a client that came through the listener, which has checked its password."""
        return self.listener is not None and self.listener.is_authenticated(session.client_id, session.username)

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Return True if this client may write, subscribe to or receive this topic."""
        if session is None or not session.username or not topic or action is None:
            return False
        if action == Action.PUBLISH:
            allowed = topic_rules.may_write(session.username, topic)
        else:
            allowed = topic_rules.may_read(session.username, topic)
        if not allowed and action != Action.RECEIVE and self.listener is not None:
            self.listener.reject(session.username, counters.REFUSED_TOPIC, f"may not {action.value} there")
        return allowed


class _SnapshotDict(dict):
    """A dictionary that may change while it is iterated over."""

    def __iter__(self):
        return iter(list(super().keys()))

    def items(self):
        return list(super().items())


class EmbeddedBroker(Broker):
    """
    amqtt 0.12.1's broker with four corrections.

    They override private methods of that version, which is pinned; tests/integration/test_broker.py tests them.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # amqtt iterates over its subscriptions with pauses in between, and fails when a client subscribes
        # meanwhile: a message is lost, or a client disconnected.
        self._subscriptions = _SnapshotDict()
        self._has_room = True
        self._looked = 0.0

    def has_room(self, client_id: str) -> bool:
        """
        Return True if the broker can take another packet of this client.

        amqtt's queues have no limit: with an ingest that hangs, they grow as fast as sensors send.
        """
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._has_room = self._count_backlog() < MAX_BACKLOG
        session = self._sessions.get(client_id, (None,))[0]
        return self._has_room and (session is None or session.delivered_message_queue.qsize() < MAX_OF_CLIENT)

    def _count_backlog(self):
        # amqtt removes tasks that are done only when the next message comes.
        while self._tasks_queue and self._tasks_queue[0].done():
            task = self._tasks_queue.popleft()
            if not task.cancelled():
                task.exception()  # else asyncio logs that nobody asked
        count = self._broadcast_queue.qsize() + len(self._tasks_queue)
        if count >= MAX_BACKLOG:
            count = self._broadcast_queue.qsize() + sum(not task.done() for task in self._tasks_queue)
        return count

    async def add_subscription(self, subscription, session) -> int:
        # With QoS 2, amqtt would keep a message until the client has answered twice.
        return await super().add_subscription((subscription[0], min(subscription[1], _QOS_1)), session)

    async def _publish_retained_messages_for_subscription(self, subscription, session) -> None:
        # amqtt calls this for every filter of every client whenever a client connects, and so would send
        # each sensor the retained messages of all others. Skip filters that are not this session's.
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(subscriber is session for subscriber, _qos in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _retain_broadcast_message(self, broadcast, qos, target_session) -> None:
        # amqtt keeps messages for an absent client without limit.
        waiting = target_session.retained_messages.qsize()
        if waiting < MAX_WAITING:
            await super()._retain_broadcast_message(broadcast, qos, target_session)
        elif waiting == MAX_WAITING:
            # Every dropped message gets here: the queue keeps this length until the client comes back.
            log.warning("a client is away for long; its messages are dropped", client=target_session.client_id)
