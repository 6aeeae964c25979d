"""Every rule, cause, kind of finding and refusal that the code knows has a sentence, in both languages."""

import ast
import re

import pytest
from babel.messages.extract import extract_from_dir
from flask_babel import force_locale

from ansim import messages, signatures
from ansim import refusal_codes as sensor_refusals
from ansim.finding import EVENTS
from server import i18n, wording
from server.models import findings, inspections, people, places
from server.services.intake import counters
from server.services.sensors import fleet
from server.wording import audit, refusals, rules, vocabulary
from server.wording.causes import VERDICTS
from server.wording.sensor_refusals import sensor_refusal
from tests.conftest import ROOT

LANGUAGES = ("en", "ko")
KOREAN = ROOT / "server/translations/ko/LC_MESSAGES"
HANGUL = re.compile("[가-힣]")
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def sources(folder):
    return [ast.parse(path.read_text()) for path in sorted((ROOT / folder).rglob("*.py"))]


def strings(node):
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def rules_in_detect():
    """Ids that stand in Evidence(...) or in a table whose name ends in RULES."""
    found = set()
    for tree in sources("ansim/detect"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Evidence":
                found.update(strings(node.args[0]))
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").endswith("RULES"):
                found.update(strings(node.value))
    return found - {""}  # the place in a table of a tier that has no rule


def causes_in_detect():
    """Ids that stand in (cause, verdict), and those the signature tables name."""
    found = {cause for cause in signatures.CAUSES if cause}
    for tree in sources("ansim/detect"):
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Tuple) and len(node.elts) == 2):
                continue
            first, second = node.elts
            verdict = not isinstance(second, ast.Constant) or second.value in VERDICTS
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and "_" in first.value and verdict:
                found.add(first.value)
    return found


def kinds_in_detect():
    """What findings are called: KIND = "..." and name = "..."."""
    found = set()
    for tree in sources("ansim/detect"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("KIND", "name"):
                found.update(strings(node.value))
    return found


def refusals_in_services():
    found = set()
    for tree in sources("server/services"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                found.update(strings(node.args[0]))
    return found


def test_the_scan_of_the_detectors_finds_what_is_there():
    assert {"uplink_kbps", "name_camera", "plateau_mhz", "silent_ms"} <= rules_in_detect()
    assert {"video_call", "bulk_upload", "microwave_oven", "neighbour_camera"} <= causes_in_detect()
    assert {"camera_stream", "analogue_video", "undecodable_source"} <= kinds_in_detect()
    assert "coverage_too_low" in refusals_in_services()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("weight, value", [(12, 5), (-12, 5), (0, 5), (0, 900), (12, 1), (-12, 0)])
def test_every_rule_the_detectors_know_reads_as_a_sentence(app, language, weight, value):
    with app.test_request_context(), force_locale(language):
        for rule in sorted(rules_in_detect()):
            line = wording.evidence([[rule, value, 100, weight]])[0]
            assert "%(" not in line.text, rule
            assert f'"{rule}"' not in line.title, f"{rule} has no sentence in server/wording/rules.py"
            assert bool(HANGUL.search(line.text)) == (language == "ko"), rule


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_innocent_cause_reads_as_a_sentence_with_what_would_tell_it_apart(app, language):
    with app.test_request_context(), force_locale(language):
        for cause in sorted(causes_in_detect()):
            line = wording.considered([[cause, "open"]])[0]
            assert f'"{cause}"' not in line.title, f"{cause} has no sentence in server/wording/causes.py"
            assert bool(HANGUL.search(line.title)) == bool(HANGUL.search(line.tell)) == (language == "ko"), cause


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_finding_has_a_title_that_does_not_call_it_a_camera(app, language):
    with app.test_request_context(), force_locale(language):
        for kind in sorted(kinds_in_detect()):
            title = wording.finding_title(kind)
            assert kind not in title, kind
            assert bool(HANGUL.search(title)) == (language == "ko")


def test_every_refusal_of_the_services_has_a_sentence():
    assert refusals_in_services() - refusals.REFUSALS.keys() == set()


def refusals_of_sensors():
    """Every code of ansim/refusal_codes.py."""
    return [code for name, code in vars(sensor_refusals).items() if name.isupper()]


def test_the_firmware_refuses_with_codes_only():
    names = {name for name in vars(sensor_refusals) if name.isupper()}
    used = set()
    for tree in sources("firmware") + sources("ansim"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "refusal_codes":
                used.add(node.attr)

    assert used == names
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in refusals_of_sensors())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_of_a_sensor_has_a_sentence(app, language):
    with app.test_request_context(), force_locale(language):
        for code in refusals_of_sensors():
            sentence = sensor_refusal(code)
            assert " " in sentence and bool(HANGUL.search(sentence)) == (language == "ko"), code


def test_a_refusal_shows_its_details_and_an_unknown_text_as_it_is(app):
    with app.test_request_context(), force_locale("en"):
        assert sensor_refusal("bad_settings:port,broker") == "these settings cannot be used (port, broker)"
        assert sensor_refusal("wifi: out of reach") == "wifi: out of reach"
        assert sensor_refusal("") == ""


def test_every_word_the_database_and_the_sensors_use_has_a_text():
    tables = {
        "methods": (vocabulary.METHODS, places.METHODS),
        "methods by": (vocabulary.METHODS_BY, places.METHODS),
        "help": (vocabulary.METHOD_HELP, places.METHODS),
        "results": (vocabulary.RESULTS, inspections.RESULTS),
        "outcomes": (vocabulary.OUTCOMES, inspections.OUTCOMES),
        "dispositions": (vocabulary.DISPOSITIONS, findings.DISPOSITIONS),
        "blocks": (vocabulary.BLOCKS, places.BLOCKS),
        "roles": (vocabulary.ROLES, people.ROLES),
        "events": (vocabulary.EVENTS, EVENTS),
        "capabilities": (vocabulary.CAPABILITIES, messages.CAPABILITIES),
        "commands": (vocabulary.COMMANDS, messages.COMMANDS),
        "tallies": (vocabulary.TALLIES, (*counters.REJECTED, counters.STORED, counters.DUPLICATE, counters.ACCEPTED)),
        "sensor states": (
            vocabulary.SENSOR_STATES,
            (
                fleet.NEVER,
                fleet.ONLINE,
                fleet.SLEEPING,
                fleet.SILENT,
                fleet.OFFLINE,
                fleet.REVOKED,
            ),
        ),
    }
    for name, (table, wanted) in tables.items():
        assert set(wanted) <= set(table), name


@pytest.mark.parametrize(
    "row, text",
    [
        (["uplink_kbps", 412, 80, 5], "It sends 412 kbit/s all the time."),
        (["uplink_kbps", 20, 80, -5], "It sends only 20 kbit/s."),
        (["loss_permille", 4, 0, 0], "The sensor missed about 0.4 % of its packets"),
        (["persistence_s", 90, 60, 0], "without a pause for 90 seconds"),
        (["persistence_s", 30, 60, 0], "for only 30 seconds"),
        (["persistence_s", 30, 0, 0], "Measured: 30 seconds."),
        (["mean_down_bytes", 120, 250, 0], "short answers of 120 bytes"),
        (["local_address", 1, 0, 0], "Its address is made up"),
        (["local_address", 0, 0, 0], "given by its maker"),
        (["open_network", 1, 1, 10], "has no password"),
        (["beacon_service_weak", 0xFD50, 0, 10], "(number 0xFD50)"),
        (["name_camera", 17, 0, 60], "hidden cameras announce: V380."),
        (["name_camera", 30000, 0, 60], "hidden cameras announce: entry 30000 of the list."),
        (["never_heard_of_dbm", -60, -70, 3], "Measured -60 dBm, compared with -70 dBm."),
        (["never_heard_of", 7, 6, 3], "Measured 7, compared with 6."),
    ],
)
def test_numbers_are_written_with_their_unit_and_read_by_what_they_mean(app, row, text):
    with app.test_request_context(), force_locale("en"):
        assert text in wording.evidence([row])[0].text


def test_causes_that_fit_come_first(app):
    with app.test_request_context(), force_locale("en"):
        lines = wording.considered([["video_call", "against"], ["bulk_upload", "open"], ["voice_call", "for"]])

        assert [line.cause for line in lines] == ["voice_call", "bulk_upload", "video_call"]


def _english():
    """{(context, sentence): plural or None} of every sentence in the server's code and templates."""
    keywords = {
        "_": None,
        "gettext": None,
        "lazy_gettext": None,
        "ngettext": (1, 2),
        "lazy_pgettext": ((1, "c"), 2),
    }
    methods = [("templates/**.html", "jinja2"), ("**.py", "python")]
    options = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    found = {}
    for _file, _line, message, _comments, context in extract_from_dir(
        ROOT / "server", methods, options, keywords=keywords
    ):
        sentence, plural = message if isinstance(message, tuple) else (message, None)
        if sentence:
            found[context, sentence] = plural
    return found


def test_every_english_sentence_has_a_korean_one_with_the_same_gaps():
    korean = _korean()
    english = _english()

    missing = [sentence for sentence in english if sentence not in korean or not all(_texts(korean[sentence]))]
    assert not missing, "add these to server/translations/ko: " + repr(missing)
    assert not [entry.id for entry in korean.values() if entry.fuzzy]
    for (context, sentence), plural in english.items():
        gaps = set(PLACEHOLDER.findall(plural or sentence))
        for text in _texts(korean[context, sentence]):
            assert set(PLACEHOLDER.findall(text)) == gaps, sentence


def test_the_korean_catalogue_has_no_sentence_that_nobody_says_any_more():
    assert _korean().keys() - _english().keys() == set()


def _korean():
    """{(context, sentence): babel.messages.Message} of all Korean catalogues."""
    found = {}
    for entry in i18n.read_translations(KOREAN):
        if entry.id:
            found[entry.context, entry.id if isinstance(entry.id, str) else entry.id[0]] = entry
    return found


def _texts(entry):
    return [entry.string] if isinstance(entry.string, str) else list(entry.string)


def test_a_rule_says_which_way_it_points():
    assert {rule.fits for rule in rules.RULES.values()} <= {rules.FROM, rules.UP_TO, rules.SET, rules.CLEAR}


def test_every_kind_of_entry_in_the_log_has_words():
    told = re.compile(r'\b(?:log|chain)\.add\(\s*session, "([a-z_.]+)"')
    used = {kind for path in (ROOT / "server").rglob("*.py") for kind in told.findall(path.read_text())}

    assert len(used) > 40 and used <= audit.KINDS.keys(), used - audit.KINDS.keys()


def test_a_channel_is_named_with_its_band():
    assert [wording.channel(number) for number in (1, 14, 36, 165)] == [
        "1 (2.4 GHz)",
        "14 (2.4 GHz)",
        "36 (5 GHz)",
        "165 (5 GHz)",
    ]
