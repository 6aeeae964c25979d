"""The read-only account on a broker of one's own: the same rules as on the embedded one."""

from pathlib import Path

from ansim import topics
from server.broker import mosquitto, topic_rules


def rules_of(user):
    """Return the lines of a user in mosquitto's access list."""
    place = mosquitto.Place(Path("/x"), ("0.0.0.0", 8883), ("127.0.0.1", 1883), None, 900)
    text = mosquitto.make_files({topic_rules.SERVICE: "x"}, topic_rules.SERVICE, place)[mosquitto.ACCESS]
    return text.partition(f"user {user}\n")[2].partition("\n\n")[0].splitlines()


def test_the_access_list_lets_the_reader_read_what_the_embedded_broker_does():
    rules = rules_of(topic_rules.READER)

    assert rules and all(rule.startswith("topic read ") for rule in rules)
    read = [rule.removeprefix("topic read ") for rule in rules]
    assert all(topic_rules.may_read(topic_rules.READER, text) for text in read)
    hidden = [
        topics.everyone(leaf) for leaf in topics.FROM_SENSOR + topics.TO_SENSOR if leaf not in topic_rules.READABLE
    ]
    assert not any(topic_rules.may_read(topic_rules.READER, text) or text in read for text in hidden)
    assert not topic_rules.may_read(topic_rules.READER, "#")


def test_the_account_is_there_only_with_its_setting(session, settings, vault):
    without = mosquitto.load_accounts(session, vault, settings)
    with_reader = mosquitto.load_accounts(session, vault, settings.model_copy(update={"mqtt_reader": True}))

    assert topic_rules.READER not in without
    assert with_reader[topic_rules.READER] == vault.service_password(topic_rules.READER)
