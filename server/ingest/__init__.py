"""
The ingest process: from the broker into the database, and back with what sensors wait for.

    flask --app server ingest      (or: python -m server.ingest)

    main.py      the loop: connect, read, store, acknowledge, publish
    wire.py      reads and writes many MQTT packets with one system call
    letters.py   from topic and bytes to a checked message of a known sensor, or the reason why not
    keyring.py   the sensors' keys, remembered
    batch.py     one transaction for many messages
    refusals.py  counts and logs what was dropped
"""
