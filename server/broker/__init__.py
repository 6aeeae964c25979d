"""
The embedded broker: amqtt, behind a gate of our own, for offices that run no other.

    flask --app server broker      (or: python -m server.broker)

    main.py     puts it together and runs it
    gate.py     reads who connects and lets nobody in before the password is checked; limits sizes, watches silence
    doorman.py  checks passwords against the database
    rules.py    who may write and read which topics
    confine.py  those rules as an amqtt plugin, and amqtt's broker with three of its habits changed

It keeps everything in memory. Nothing relies on that: a report stays in the sensor's
journal until the server has confirmed it, and ingest confirms again when a sensor connects.
"""
