"""The verifier in the browser agrees with tools/verify_proof.py on good and on changed proofs."""

import copy
import json
import random
import re

import pytest
from playwright.sync_api import expect

from server.services.audit import canonical, heads, log, proofs, signing_key
from server.services.people.accounts import SYSTEM
from tests.browser.conftest import FLAGS
from tests.conftest import ROOT
from tools import verify_proof

pytestmark = pytest.mark.chromium

CHANGED = 400  # proofs with one changed byte
CHECK = """async ([texts, key]) => {
  const verdicts = [];
  for (const text of texts) {
    verdicts.push(await window.verifyProof(text, key).then((entries) => entries.length, (error) => error.message));
  }
  return verdicts;
}"""


@pytest.fixture
def key(site):
    return signing_key.load(site.server.vault)


@pytest.fixture
def made(site, key):
    """Canonical texts of four proofs: of one subject, of two with and without names, of the whole log; and the key."""
    with site.server.sessions.begin() as session:
        for number in range(3):
            body = {"room": "r1", "note": 'ü"\\\n한\U0001f6bb', "level": number}
            log.add(session, "inspection.started", f"insp{number}", body, SYSTEM, {"partners": ["박"]})
        heads.sign(session, key)
        log.forget(session, [log.newest_n(session) - 2], SYSTEM)
        log.add(session, "inspection.finished", "insp1", {"result": "none_found"}, SYSTEM, {"note": "창문"})
        options = ((["insp1"], True), (["insp0", "insp1"], True), (["insp1"], False), ([], True))
        return [
            canonical.text(proofs.prove_subjects(session, subjects, key, names)) for subjects, names in options
        ], heads.public_key(key)


def by_python(text, key):
    """Return the number of entries, or the name of the first part that does not verify."""
    try:
        return len(verify_proof.check(text, key))
    except ValueError as error:
        return re.sub(r" is not as it was written.*", "", str(error), flags=re.DOTALL)


def in_browser(page, texts, key):
    page.goto("/log/verify")
    return page.evaluate(CHECK, [texts, key])


def test_good_proofs_verify_in_both(site, visit, made):
    texts, key = made

    verdicts = in_browser(visit(site), texts, key)

    assert verdicts == [by_python(text, key) for text in texts]
    assert all(isinstance(verdict, int) and verdict for verdict in verdicts)


def test_a_changed_byte_is_rejected_by_both_at_the_same_part(site, visit, made):
    texts, key = made
    choose = random.Random(7)
    changed = []
    while len(changed) < CHANGED:
        text = choose.choice(texts)
        at = choose.randrange(len(text))
        other = choose.choice('0123456789abcdefxyz"{}[],:\\ -.\u00e9\ud55c')
        if text[at] != other:
            changed.append(text[:at] + other + text[at + 1 :])

    verdicts = in_browser(visit(site), changed, key)

    expected = [by_python(text, key) for text in changed]
    assert not any(isinstance(verdict, int) for verdict in expected)
    assert [row[1:] for row in zip(changed, verdicts, expected, strict=True) if row[1] != row[2]] == []


def forgeries(text):
    """Yield canonical proofs in which somebody has changed something on purpose."""

    def changed(change):
        proof = copy.deepcopy(json.loads(text))
        change(proof)
        return canonical.text(proof)

    whole = next(i for i, item in enumerate(json.loads(text)["parts"][0]["items"]) if "entry" in item)

    def part(proof):
        return proof["parts"][0]

    def item(proof):
        return part(proof)["items"][whole]

    def entry(proof, **fields):
        item(proof)["entry"] = canonical.text(json.loads(item(proof)["entry"]) | fields)

    yield changed(lambda proof: proof.update(more=1))
    yield changed(lambda proof: proof.update(format="ansim proof 2"))
    yield changed(lambda proof: proof["subjects"].append("zzz"))
    yield changed(lambda proof: proof.update(subjects=[]))
    yield changed(lambda proof: proof["parts"].clear())
    yield changed(lambda proof: part(proof)["items"].clear())
    yield changed(lambda proof: part(proof)["items"].pop())
    yield changed(lambda proof: part(proof)["items"].reverse())
    yield changed(lambda proof: part(proof)["head"].update(at_s=1))
    yield changed(lambda proof: part(proof)["head"].update(key="00" * 32))
    yield changed(lambda proof: part(proof)["head"].update(signature="00" * 64))
    yield changed(lambda proof: part(proof)["head"].update(signature=part(proof)["head"]["signature"].upper()))
    yield changed(lambda proof: part(proof)["head"].update(more=1))
    yield changed(lambda proof: part(proof).update(after="f" * 64))
    yield changed(lambda proof: item(proof).update(n=True))
    yield changed(lambda proof: item(proof).update(personal={"salt": "00", "content": "{}"}))
    yield changed(lambda proof: item(proof).update(personal=7))
    yield changed(lambda proof: item(proof).pop("personal"))
    yield changed(lambda proof: item(proof).update(entry=None))
    yield changed(lambda proof: entry(proof, at_s=1))
    yield changed(lambda proof: entry(proof, subject="other"))
    yield from (
        "",
        "{}",
        "[]",
        "null",
        "7",
        text + "x",
        " " + text.replace(",", ", "),
        "\ufeff" + text,
        text.replace("{", "", 1),
    )


def test_forgeries_are_rejected_by_both_at_the_same_part(site, visit, made):
    texts, key = made
    forged = [row for text in texts for row in forgeries(text)]

    verdicts = in_browser(visit(site), forged, key)

    expected = [by_python(text, key) for text in forged]
    assert [row[1:] for row in zip(forged, verdicts, expected, strict=True) if row[1] != row[2]] == []
    # Only the proof of the whole log verifies: its `subjects` are [] before and after the change.
    assert sum(isinstance(verdict, int) for verdict in expected) == 1


def test_another_key_is_rejected(site, visit, made):
    texts, _ = made

    verdicts = in_browser(visit(site), texts, "00" * 32)

    assert all("the signed head" in verdict for verdict in verdicts)


def test_the_example_of_the_document_verifies_in_both(site, visit):
    text = (ROOT / "docs/log.md").read_text("utf-8")
    (example,) = re.findall(r"```json proof\n(.*?)\n```", text)
    (key,) = re.findall(r"whose key is `([0-9a-f]{64})`", text)

    assert by_python(example, key) == 1
    assert in_browser(visit(site), [example, example + "\n"], key) == [1, 1]


@pytest.mark.parametrize("language, proven", [("en", "are in the log"), ("ko", "기록에 바뀌지 않은 채로")])
def test_the_page_checks_a_file_without_asking_a_server(site, visit, made, tmp_path, language, proven):
    texts, key = made
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(texts[1] + "\n", "utf-8")
    bad.write_text(texts[1].replace("none_found", "none_fount"), "utf-8")
    page = visit(site, language)
    answer = page.goto("/log/verify")
    assert answer and "default-src 'self'" in answer.headers["content-security-policy"]
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    page.click("#verify button")
    expect(page.locator("#result")).to_have_attribute("data-verdict", "needed")
    page.set_input_files("#proof", good)
    page.fill("#key", f" {key.upper()} ")
    page.click("#verify button")
    expect(page.locator("#result")).to_contain_text(proven)
    expect(page.locator("#entries li")).to_have_count(by_python(texts[1], key))
    expect(page.locator("#entries")).to_contain_text("창문")
    page.set_input_files("#proof", bad)
    page.click("#verify button")
    expect(page.locator("#result")).to_have_attribute("data-verdict", "mismatch")
    expect(page.locator("#entries li")).to_have_count(0)
    assert [url for url in asked if "favicon" not in url] == []


def test_where_the_browser_has_no_cryptography_the_page_says_so(site, chromium, made, tmp_path):
    texts, key = made
    file = tmp_path / "proof.json"
    file.write_text(texts[0], "utf-8")
    # A page over http from another machine than the browser's own.
    flags = [*FLAGS, f"--host-resolver-rules=MAP ansim.test {site.address.split('//')[1].split(':')[0]}"]
    browser = chromium.browser_type.launch(executable_path=_program(), args=flags)
    try:
        page = browser.new_page(locale="en-GB")
        page.goto(f"http://ansim.test:{site.address.rpartition(':')[2]}/log/verify")
        page.set_input_files("#proof", file)
        page.fill("#key", key)
        page.click("#verify button")
        expect(page.locator("#result")).to_contain_text("cannot check signatures here")
    finally:
        browser.close()


def _program():
    import shutil

    return shutil.which("chromium") or shutil.which("google-chrome")
