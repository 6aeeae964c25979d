"""
Fuzzing: made-up and damaged input for every parser and service that reads what strangers send.

    python -m tests.fuzz                          every target for a minute, on SQLite
    python -m tests.fuzz pcap messages --seconds 600 --database postgresql

`targets.py` lists the targets, `mutation.py` changes their seeds. An input that fails is made shorter and written to
`corpus/<target>/`, from where tests/unit/test_fuzz_corpus.py replays it.
"""
