"""
The ingest process: stores the sensors' messages in the database and publishes the messages that sensors wait for.

    flask --app server ingest      (or: python -m server.ingest)

    main.py                 the loop: connect, receive, store, acknowledge, publish
    mqtt_client.py          reads and writes many MQTT packets with one system call
    decode.py               verifies and decodes a received message, or rejects it with a reason
    fast_decode.py          decodes reports with compiled code
    keyring.py              caches the sensors' keys
    batch.py                stores many messages in one transaction
    messages_to_sensors.py  messages to sensors
    single_instance.py      lets one process of a name run at a time
    rejections.py           counts and logs rejected messages
    metrics.py              the process's counters for Prometheus
"""
