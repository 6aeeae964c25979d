"""Run the embedded broker until interrupted."""

import asyncio
import asyncio.sslproto
import contextlib
import os
import signal
import ssl
import threading
from collections.abc import Callable

import structlog
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

from server import config, db, logging_setup, vault
from server.broker import amqtt_plugin
from server.broker.authentication import Authenticator
from server.broker.listener import AMQTT_LISTENER, Listener
from server.config import Settings
from server.services.intake.quotas import Limits, Quotas

# asyncio's buffer of a TLS connection. Its own 256 kB would cost 250 MB with 1,000 sensors; a packet has 17 kB at most.
TLS_BUFFER_BYTES = 32768
MAX_FILES = 65536
END_WITHIN_S = 10  # an orderly end takes less than a second

log = structlog.get_logger()


class CannotListen(Exception):
    """The broker's port cannot be used; the text says which one and what to try."""


async def serve(
    settings: Settings, started: Callable[[], object] | None = None, stop: asyncio.Event | None = None
) -> None:
    """
    Serve until `stop` is set. `started`, if given, is called once the port is open.

    Raises CannotListen.
    """
    stop = stop or asyncio.Event()
    asyncio.sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    authenticator = Authenticator(db.open_sessions(settings.url()), vault.open_vault(settings), settings.mqtt_reader)
    listener = Listener(authenticator, Quotas(Limits.of(settings)))
    # EXTERNAL: amqtt opens no port of its own; all connections come through our listener.
    external = ListenerConfig(type=ListenerType.EXTERNAL)
    broker = amqtt_plugin.EmbeddedBroker(
        BrokerConfig(listeners={AMQTT_LISTENER: external}, plugins={amqtt_plugin.PLUGIN: {}})
    )
    plugin = broker.plugins_manager.get_plugin(amqtt_plugin.AccessPlugin.__name__)
    assert isinstance(plugin, amqtt_plugin.AccessPlugin)
    plugin.listener = listener
    await broker.start()
    try:
        await listener.start(broker, settings.mqtt_bind, settings.mqtt_port, _tls(settings))
    except OSError as error:
        await broker.shutdown()
        where = f"{settings.mqtt_bind}:{settings.mqtt_port}"
        raise CannotListen(f"cannot listen on {where} ({error.strerror}); set ANSIM_MQTT_PORT to a free one") from error
    watching = asyncio.create_task(listener.watch())
    log.info("broker is listening", host=settings.mqtt_bind, port=settings.mqtt_port, tls=bool(settings.mqtt_cert))
    if started:
        started()
    stopping = asyncio.create_task(stop.wait())
    # watch() ends only with an exception, which then ends the process.
    await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    listener.close()
    if watching.done():
        watching.result()
    watching.cancel()
    await listener.write_counts()
    await broker.shutdown()
    await listener.end_connections()


def _tls(settings):
    if not settings.mqtt_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.mqtt_cert, settings.mqtt_key)
    return context


def run(settings: Settings) -> None:
    """Migrate the database, then serve until interrupted. Raises CannotListen."""
    from server import migrations

    config.make_files_private()
    logging_setup.configure(settings.log_format)
    _allow_many_connections()
    migrations.upgrade(settings)
    vault.check(settings, db.open_sessions(settings.url()))
    asyncio.run(_run(settings))


def _allow_many_connections():
    """Raise the number of open files to what the system allows; its default is 1,024 on many systems."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(most, MAX_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _run(settings):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end():
        stop.set()
        # Everything here is in memory and sent again, so an end that is not orderly loses nothing.
        forced = threading.Timer(END_WITHIN_S, _end_at_once)
        forced.daemon = True
        forced.start()

    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            loop.add_signal_handler(name, end)
    await serve(settings, stop=stop)


def _end_at_once():
    log.warning("the orderly end takes too long; ending at once")
    os._exit(0)
