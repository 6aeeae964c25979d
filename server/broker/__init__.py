"""
The embedded broker: amqtt behind a listener of our own, for installations without another broker.

    flask --app server broker      (or: python -m server.broker)

    main.py                    starts and stops the broker
    listener.py                accepts connections, authenticates CONNECT packets, ends silent connections
    unauthenticated_limits.py  limits connections that have not authenticated yet
    connection.py              an authenticated connection: whole and checked packets, within the sensor's quota
    packets.py                 which packets are allowed
    authentication.py          checks passwords against the database
    http_access.py             answers another broker that asks by HTTP who may connect, publish and subscribe
    topic_rules.py             which user may write and read which topics
    amqtt_plugin.py            these rules as an amqtt plugin, and amqtt's broker with four corrections

The broker keeps everything in memory. Nothing depends on that: a report stays in the sensor's
journal until the server has confirmed it, and ingest confirms again when a sensor connects.
"""
