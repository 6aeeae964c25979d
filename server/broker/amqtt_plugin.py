"""The topic rules as an amqtt plugin, and amqtt's broker with seven corrections."""

import asyncio
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


class _Subscriptions(dict):
    """
    amqtt's {topic filter: [(session, QoS), ...]}, which may change while it is iterated over.

    Neither a message nor a client that comes or goes makes amqtt look at the filters of all other sensors:

    - a sensor subscribes to its own topics, without wildcards, so the filters of a message are found by its topic;
    - iterating yields the filters of lasting sessions only. amqtt iterates when a client connects, to send it what
      was retained for subscriptions that it has already.
    """

    def __init__(self):
        super().__init__()
        self._with_wildcards: set[str] = set()
        self._of_client: dict[str, set[str]] = {}
        self._lasting: set[str] = set()

    def __iter__(self):
        return iter([name for name in self._lasting if name in self])

    def __setitem__(self, name, subscribers):
        super().__setitem__(name, subscribers)
        if _has_wildcard(name):
            self._with_wildcards.add(name)

    def __delitem__(self, name):
        super().__delitem__(name)
        self._with_wildcards.discard(name)
        self._lasting.discard(name)

    def __repr__(self):
        return f"<{len(self)} subscriptions>"  # amqtt asks for this text whenever a client subscribes

    def clear(self):
        super().clear()
        for index in (self._with_wildcards, self._of_client, self._lasting):
            index.clear()

    def items(self):
        return list(super().items())

    def note(self, name: str, session: Session) -> None:
        """Remember that a client has subscribed."""
        self._of_client.setdefault(session.client_id or "", set()).add(name)
        if not session.clean_session:
            self._lasting.add(name)

    def take_filters(self, session: Session) -> set[str]:
        """Return the filters that a client has subscribed to, and forget them."""
        return self._of_client.pop(session.client_id or "", set())

    def candidates(self, topic: str) -> list[str]:
        """Return the filters that may match a topic: the topic itself and those with wildcards."""
        return [*([topic] if topic in self else ()), *self._with_wildcards]


def _has_wildcard(name):
    return "+" in name or "#" in name


class EmbeddedBroker(Broker):
    """
    amqtt 0.12.1's broker with seven corrections.

    They override private methods of that version, which is pinned; tests/integration/test_broker.py tests them.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # amqtt iterates over its subscriptions with pauses in between, and fails when a client subscribes
        # meanwhile: a message is lost, or a client disconnected.
        self._subscriptions: _Subscriptions = _Subscriptions()
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
        granted = await super().add_subscription((subscription[0], min(subscription[1], _QOS_1)), session)
        if granted in (0, _QOS_1):
            self._subscriptions.note(subscription[0], session)
        return granted

    async def _del_all_subscriptions(self, session) -> None:
        # amqtt looks at every filter of every sensor.
        for name in self._subscriptions.take_filters(session):
            if self._del_subscription(name, session) and not self._subscriptions[name]:
                del self._subscriptions[name]

    async def _publish_retained_messages_for_subscription(self, subscription, session) -> None:
        # amqtt calls this for every filter of every client whenever a client connects, and so would send
        # each sensor the retained messages of all others. Skip filters that are not this session's.
        name, qos = subscription
        subscribers = self._subscriptions.get(name, ())
        if not any(subscriber is session for subscriber, _qos in subscribers):
            return
        if _has_wildcard(name):
            await super()._publish_retained_messages_for_subscription(subscription, session)
            return
        # amqtt compares the filter with every retained message.
        retained, handler = self._retained_messages.get(name), self._get_handler(session)
        if retained and handler:
            await handler.mqtt_publish(name, retained.data, min(qos, retained.qos or qos), retain=True)

    async def _run_broadcast(self, running_tasks) -> None:
        # amqtt compares a message's topic with every filter of every sensor.
        broadcast = await self._broadcast_queue.get()
        topic = broadcast["topic"]
        for name in self._subscriptions.candidates(topic):
            if self._matches(topic, name):
                for session, qos in list(self._subscriptions.get(name, ())):
                    await self._pass_on(broadcast, session, broadcast.get("qos", qos), running_tasks)

    async def _pass_on(self, broadcast, session, qos, running_tasks):
        """Send a message to one subscriber, or keep it while a client with a lasting session is away."""
        if not await self._topic_filtering(session, topic=broadcast["topic"], action=Action.RECEIVE):
            return
        if session.transitions.state != "connected":
            if qos and not session.clean_session:
                await self._retain_broadcast_message(broadcast, qos, session)
            return
        handler = self._get_handler(session)
        if handler:
            sending = handler.mqtt_publish(broadcast["topic"], broadcast["data"], qos, retain=False)
            running_tasks.append(asyncio.ensure_future(sending))

    async def _retain_broadcast_message(self, broadcast, qos, target_session) -> None:
        # amqtt keeps messages for an absent client without limit.
        waiting = target_session.retained_messages.qsize()
        if waiting < MAX_WAITING:
            await super()._retain_broadcast_message(broadcast, qos, target_session)
        elif waiting == MAX_WAITING:
            # Every dropped message gets here: the queue keeps this length until the client comes back.
            log.warning("a client is away for long; its messages are dropped", client=target_session.client_id)
