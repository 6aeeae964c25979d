"""The chained log: what it refuses, what it notices, and what an outsider can check."""

import json
import random
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from server import clock
from server.models import LogEntry, LogHead, LogPersonal, LogTip
from server.services.audit import canonical, heads, log, proofs, signing_key, verification, witness
from server.services.errors import Refused
from tests.conftest import ROOT
from tests.support.values import present
from tools import verify_proof

TABLES = (LogEntry, LogHead, LogPersonal, LogTip)


@pytest.fixture
def key(vault):
    return signing_key.load(vault)


@pytest.fixture
def told(session, kim, key):
    """A session with ten entries, two heads and one forgotten entry."""
    for number in range(4):
        log.add(session, "inspection.started", f"insp{number}", {"room": "r1", "note": 'ü"\\\n한'}, kim)
    heads.sign(session, key)
    log.add(session, "retention.ran", "log", {"rows": 5})
    log.forget(session, [2], kim)
    log.add(session, "inspection.finished", "insp1", {"result": "none_found"}, kim, {"partners": ["박"]})
    heads.sign(session, key)
    log.add(session, "finding.raised", "f1", {"score": 70, "late": None, "alarm": True})
    return session


def unlocked(session):
    """Take the triggers away, as somebody who owns the database could."""
    for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        session.execute(text(f"DROP TRIGGER {name}"))


def test_a_log_that_nobody_touched_is_whole(told):
    report = verification.verify(told)

    assert report.problem is None
    assert (report.entries, report.personal, report.heads) == (10, 5, 2)


def test_an_empty_log_is_whole_and_has_nothing_to_sign(session, key):
    assert verification.verify(session).problem is None
    assert heads.sign(session, key) is None


def test_signing_again_without_news_does_nothing(session, kim, key):
    log.add(session, "a.b", "x", {}, kim)

    assert present(heads.sign(session, key)).n == 1
    assert heads.sign(session, key) is None


@pytest.mark.parametrize("table", [LogEntry, LogHead])
def test_the_database_refuses_to_change_or_remove_an_entry_or_a_head(told, table):
    for change in (update(table).values(at_s=1), delete(table)):
        with pytest.raises(DatabaseError, match="append-only"), told.begin_nested():
            told.execute(change)


def test_the_database_refuses_to_change_personal_fields(told):
    with pytest.raises(DatabaseError, match="append-only"), told.begin_nested():
        told.execute(update(LogPersonal).values(content="{}"))


@pytest.mark.parametrize("table", ["log_entry", "log_personal", "log_head"])
def test_the_database_refuses_to_replace_a_row_also_from_other_programs(settings, table):
    with sqlite3.connect(settings.data / "ansim.db", isolation_level=None) as other:
        columns = [row[1] for row in other.execute(f"PRAGMA table_info({table})")]
        row = f"VALUES (1{', 1' * (len(columns) - 1)})"
        other.execute(f"INSERT INTO {table} {row}")
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            other.execute(f"REPLACE INTO {table} {row}")
    other.close()


def flipped(value, column, chance):
    """A value with one thing changed: a digit, a character, a byte; what was nothing is something."""
    if value is None:
        return b"f" * 64 if column.name == "token" else "f" * 64
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(20))
    if isinstance(value, bytes):
        place = chance.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
    place = chance.randrange(len(value))
    return value[:place] + chance.choice([c for c in "0aZ \u00e9" if c != value[place]]) + value[place + 1 :]


def places_to_flip(session):
    for table in TABLES:
        columns = table.__table__.columns
        for row in session.execute(select(*columns).order_by(columns[0])).all():
            for column in columns:
                if (table, column.name) != (LogTip, "id"):
                    yield table, column, row


@pytest.mark.parametrize("seed", range(3))
def test_one_change_of_any_column_of_any_row_is_found_and_named(told, seed):
    unlocked(told)
    chance = random.Random(seed)
    tried = 0
    for table, column, row in list(places_to_flip(told)):
        first = table.__table__.columns[0]
        value = flipped(getattr(row, column.name), column, chance)
        if column is first and table is LogPersonal and told.get(LogPersonal, value):
            continue
        nested = told.begin_nested()
        try:
            told.execute(
                update(table)
                .where(first == row[0])
                .values({column.name: value})
                .execution_options(synchronize_session=False)
            )
        except DatabaseError:  # the number of another row
            nested.rollback()
            continue
        told.expire_all()

        problem = verification.verify(told).problem

        assert problem is not None, (table.__tablename__, column.name, row, value)
        if table is LogEntry and column is not first:
            assert problem == (row[0], verification.CHANGED)
        nested.rollback()
        told.expire_all()
        tried += 1
    assert tried > 80
    assert verification.verify(told).problem == (10, verification.TRIGGER_GONE)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (delete(LogEntry).where(LogEntry.n == 3), (3, verification.MISSING)),
        (delete(LogEntry).where(LogEntry.n == 10), (10, verification.MISSING)),
        (delete(LogEntry).where(LogEntry.n >= 9), (9, verification.MISSING)),
        (delete(LogPersonal).where(LogPersonal.n == 3), (3, verification.PERSONAL_GONE)),
        (delete(LogHead).where(LogHead.n == 4), (4, verification.HEAD_GONE)),
    ],
)
def test_what_is_taken_out_is_missed(told, statement, problem):
    unlocked(told)
    told.execute(statement.execution_options(synchronize_session=False))
    told.expire_all()

    assert verification.verify(told).problem == problem


def test_a_log_that_was_computed_anew_does_not_fit_the_heads(told):
    unlocked(told)
    told.expunge_all()
    told.execute(update(LogEntry).where(LogEntry.n == 1).values(subject="other"))
    previous = bytes.fromhex(log.START)
    for entry in told.scalars(select(LogEntry).order_by(LogEntry.n)):
        previous = log.next_hash(previous, log.digest(entry))
        entry.hash = previous.hex()
        told.flush()
    told.execute(update(LogTip).values(hash=previous.hex()))
    told.expire_all()

    assert verification.verify(told).problem == (4, verification.HEAD_DIFFERS)


def compute_anew(session):
    """Make the chain and its tip fit the entries, as somebody who owns the database could."""
    previous = bytes.fromhex(log.START)
    session.flush()
    for entry in session.scalars(select(LogEntry).order_by(LogEntry.n)):
        previous = log.next_hash(previous, log.digest(entry))
        entry.hash = previous.hex()
        session.flush()
    session.execute(update(LogTip).values(n=entry.n, hash=previous.hex()))
    session.expire_all()


@pytest.mark.parametrize(
    ("n", "by_s", "problem"),
    [(2, -5, (2, verification.TIME_BACK)), (1, 5, (2, verification.TIME_BACK)), (3, 86400 * 2, None)],
)
def test_times_that_run_backwards_or_lie_in_the_future_are_found(session, kim, n, by_s, problem):
    for number in range(3):
        log.add(session, "inspection.started", f"insp{number}", {}, kim)
    unlocked(session)
    session.execute(update(LogEntry).where(LogEntry.n == n).values(at_s=LogEntry.at_s + by_s))
    session.expire_all()
    compute_anew(session)

    assert verification.verify(session).problem == (problem or (3, verification.TIME_BEYOND))


def test_an_entry_younger_than_the_head_that_covers_it_is_found(session, kim, key):
    log.add(session, "inspection.started", "insp", {}, kim)
    head = present(heads.sign(session, key))
    unlocked(session)
    at_s = head.at_s - 50
    signature = key.sign(heads.statement(head.n, head.hash, at_s)).hex()
    session.execute(update(LogHead).values(at_s=at_s, signature=signature))
    session.expire_all()

    assert verification.verify(session).problem == (1, verification.TIME_BEYOND)


def test_a_clock_that_is_set_back_leaves_the_log_whole(session, kim, key, monkeypatch):
    now_s = clock.now_s()
    for at_s in (now_s, now_s - 2 * 86400, now_s - 86400):
        monkeypatch.setattr(clock, "now_s", lambda at_s=at_s: at_s)
        log.add(session, "inspection.started", "insp", {}, kim)
        heads.sign(session, key)
    monkeypatch.setattr(clock, "now_s", lambda: now_s)

    assert verification.verify(session).problem is None


def test_an_erasure_of_what_does_not_exist_yet_is_found(session, kim):
    log.add(session, log.ERASED, "log", {"entries": [2], "why": "retention"})
    log.add(session, "inspection.started", "insp", {}, kim)
    session.execute(delete(LogPersonal))

    assert verification.verify(session).problem == (1, verification.ERASED_LATER)


def test_personal_fields_that_came_back_are_found(told):
    row = told.get(LogPersonal, 3)
    kept = {"n": 3, "salt": row.salt, "content": row.content}
    log.forget(told, [3])
    told.execute(insert(LogPersonal).values(**kept))
    told.expire_all()

    assert verification.verify(told).problem == (3, verification.ERASED_THERE)


def forged_proof(session, key, change):
    """The proof of a whole log that somebody who owns the database and the key has changed."""
    unlocked(session)
    change()
    session.expire_all()
    compute_anew(session)
    return canonical.text(proofs.prove_subjects(session, [], key, True))


def test_an_outsider_finds_times_that_run_backwards(session, kim, key):
    for number in range(3):
        log.add(session, "inspection.started", f"insp{number}", {}, kim)
    change = update(LogEntry).where(LogEntry.n == 2).values(at_s=5)

    proof = forged_proof(session, key, lambda: session.execute(change))

    with pytest.raises(ValueError, match="entry 2"):
        verify_proof.check(proof, heads.public_key(key))


def test_an_outsider_with_the_whole_log_finds_names_that_vanished(session, kim, key):
    for number in range(3):
        log.add(session, "inspection.started", f"insp{number}", {}, kim)
    public = heads.public_key(key)
    whole = canonical.text(proofs.prove_subjects(session, [], key, True))
    proof = forged_proof(session, key, lambda: session.execute(delete(LogPersonal).where(LogPersonal.n == 2)))

    assert len(verify_proof.check(whole, public)) >= 3
    with pytest.raises(ValueError, match="forgotten"):
        verify_proof.check(proof, public)


@pytest.mark.parametrize("change", ["DROP TRIGGER log_personal_no_update", "DROP TRIGGER log_head_no_replace"])
def test_a_missing_trigger_is_found(told, change):
    told.execute(text(change))

    assert verification.verify(told).problem == (10, verification.TRIGGER_GONE)


def test_a_witness_has_every_head_once_and_tells_of_a_log_that_was_cut(told, key, tmp_path):
    path = tmp_path / "elsewhere" / "heads.jsonl"

    assert witness.publish(told, path) == 2
    assert witness.publish(told, path) == 0
    log.add(told, "finding.raised", "f2", {})
    heads.sign(told, key)
    assert witness.publish(told, path) == 1
    kept = witness.read(path)

    assert [head["n"] for head in kept] == [4, 8, 11]
    assert verification.verify(told, known_heads=kept).problem is None
    assert verification.verify(told, known_heads=[{**kept[1], "hash": "00" * 32}]).problem == (8, verification.UNKNOWN)


def test_a_witness_in_git_is_committed_and_pushed(told, tmp_path):
    remote, tree = tmp_path / "remote.git", tmp_path / "tree"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    subprocess.run(["git", "clone", "--quiet", remote, tree], check=True, capture_output=True)
    subprocess.run(["git", "-C", tree, "config", "push.default", "current"], check=True)

    witness.publish(told, tree)

    shown = subprocess.run(["git", "-C", remote, "log", "--all", "--format=%s"], capture_output=True, text=True)
    assert shown.stdout == "Log signed up to entry 8\n"
    assert [head["n"] for head in witness.read(tree)] == [4, 8]


def test_a_witness_that_cannot_be_written_is_told(told, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Refused, match="witness_failed"):
        witness.publish(told, tmp_path / "file" / "heads.jsonl")


def test_heads_that_others_kept_tell_of_a_log_that_was_cut_or_computed_anew(told):
    kept = [{"n": 4, "hash": told.get(LogHead, 4).hash}, {"n": 10, "hash": "0" * 64}, {"n": 12, "hash": "0" * 64}]

    assert verification.verify(told, known_heads=kept[:1]).problem is None
    assert verification.verify(told, known_heads=kept[:2]).problem == (10, verification.UNKNOWN)
    assert verification.verify(told, known_heads=kept[2:]).problem == (11, verification.MISSING)


def test_a_head_of_a_stranger_s_key_is_found(told, key):
    assert verification.verify(told, keys={heads.public_key(key)}).problem is None
    assert verification.verify(told, keys={"00" * 32}).problem == (4, verification.FOREIGN_KEY)


def test_bytes_changed_in_the_file_itself_are_found_and_named(sessions, settings):
    """Whatever byte of the log's own pages is changed: a problem with its entry, never an exception of the driver."""
    with sessions.begin() as session:
        for number in range(12):
            log.add(session, "inspection.step", f"insp{number}", {"at": number}, None, {"name": f"Kim {number}"})
    sessions.engine.dispose()
    path, chance, named = settings.data / "ansim.db", random.Random(3), set()
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = plain.execute("PRAGMA page_size").fetchone()[0]
        roots = plain.execute("SELECT rootpage FROM sqlite_master WHERE name IN ('log_entry', 'log_personal')")
        pages = [row[0] for row in roots]
    plain.close()
    good = path.read_bytes()
    for page in pages:
        start = (page - 1) * size
        written = [place for place in range(start + 100, start + size) if good[place]]
        for place in chance.sample(written, 60):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :])
            with sessions() as session:
                problem = verification.verify(session).problem
            sessions.engine.dispose()
            assert problem and 1 <= problem.n <= 13, place
            named.add(problem.n)
    assert len(named) > 10


@pytest.mark.parametrize("body", [{"x": 0.5}, {"x": 2**60}, {"ü": 1}, {"x": object()}, {1: 2}, {"x": "\ud800"}])
def test_what_has_no_canonical_form_is_refused(session, kim, body):
    with pytest.raises(ValueError):
        log.add(session, "a.b", "x", body, kim)


@pytest.mark.parametrize(("kind", "subject"), [("Finished", "x"), ("finished", "x"), ("a.b", ""), ("a.b", "x" * 65)])
def test_an_entry_without_a_kind_or_subject_is_refused(session, kind, subject):
    with pytest.raises(ValueError):
        log.add(session, kind, subject, {})


def test_the_columns_spell_the_same_as_any_json_program_would(told):
    for entry in told.scalars(select(LogEntry)):
        whole = {name: getattr(entry, name) for name in ("at_s", "kind", "n", "personal", "subject")}
        text = log.serialize(entry.n, entry.at_s, entry.kind, entry.subject, entry.body, entry.personal)
        assert text.decode() == canonical.text({**whole, "body": json.loads(entry.body)})


def test_names_are_beside_the_chain_and_can_be_forgotten_without_breaking_it(told, kim):
    assert all("Kim" not in entry.body for entry in told.scalars(select(LogEntry)))

    gone = log.forget(told, log.numbers_naming(told, kim.public_id), None, "person_erased")

    assert gone == 5
    assert all("Kim" not in one for one in told.scalars(select(LogPersonal.content)))
    assert verification.verify(told).problem is None


def test_entries_are_listed_newest_first_with_who_did_it(told):
    rows = log.list_entries(told, ["insp1"]).rows

    assert [entry.kind for entry, _ in rows] == ["inspection.finished", "inspection.started"]
    assert present(rows[0][1])["by"]["name"] == "Kim" and rows[1][1] is None
    assert len(log.list_entries(told, kind="inspection.", limit=3).rows) == 3


def proof_of(session, key, *subjects: str, **options):
    return canonical.text(proofs.prove_subjects(session, list(subjects), key, **options))


def test_an_outsider_can_check_a_proof(told, key):
    shown = verify_proof.check(proof_of(told, key, "insp1"), heads.public_key(key))

    assert [one["kind"] for one in shown] == ["inspection.started", "inspection.finished"]
    assert shown[1]["body"] == {"result": "none_found"}
    assert shown[1]["personal"] == {"by": {"id": shown[1]["personal"]["by"]["id"], "name": "Kim"}, "partners": ["박"]}


def test_a_proof_shows_nothing_of_other_entries_and_no_names_if_so_wanted(told, key):
    proof = proof_of(told, key, "insp1", with_names=False)

    assert "insp2" not in proof and "Kim" not in proof
    assert verify_proof.check(proof, heads.public_key(key))[1]["personal"] is None


def test_an_entry_without_a_head_gets_one_when_it_is_proven(told, key):
    assert [one["n"] for one in verify_proof.check(proof_of(told, key, "f1"), heads.public_key(key))] == [10]


def test_the_whole_log_is_a_proof_too(told, key):
    assert len(verify_proof.check(proof_of(told, key), heads.public_key(key))) == 10


def test_another_key_proves_nothing(told, key):
    with pytest.raises(ValueError, match="signed head of entry 4"):
        verify_proof.check(proof_of(told, key, "insp1"), "00" * 32)


def test_one_changed_byte_anywhere_in_a_proof_is_found(told, key):
    proof, public = proof_of(told, key, "insp1", "f1").encode(), heads.public_key(key)
    chance = random.Random(7)

    for place in range(len(proof)):
        other = bytes([proof[place] ^ 1 << chance.randrange(8)])
        changed = proof[:place] + other + proof[place + 1 :]
        try:
            verify_proof.check(changed.decode(), public)
        except ValueError:
            continue
        pytest.fail(f"not found: {changed[place - 30 : place + 10]}")


def test_a_changed_entry_of_a_proof_is_named(told, key):
    proof = proof_of(told, key, "insp1").replace("none_found", "nine_found")

    with pytest.raises(ValueError, match="entry 8 is not as it was written"):
        verify_proof.check(proof, heads.public_key(key))


def test_the_outside_verifier_runs_alone_and_is_short_enough_to_read(told, key, tmp_path):
    script = tmp_path / "verify_proof.py"
    script.write_text((ROOT / "tools/verify_proof.py").read_text())
    (tmp_path / "proof.json").write_text(proof_of(told, key, "insp1") + "\n")

    def run(public):
        command = [sys.executable, "-I", script, tmp_path / "proof.json", public]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    good, bad = run(heads.public_key(key)), run("11" * 32)

    assert len(script.read_text().splitlines()) <= 80
    assert good.returncode == 0 and "inspection.finished insp1" in good.stdout and "proven" in good.stdout
    assert bad.returncode == 1 and "signed head" in bad.stderr and not bad.stdout


def test_the_key_comes_from_the_secret_or_from_a_file(vault, tmp_path, key):
    file = tmp_path / "key"
    file.write_text("ab" * 32 + "\n")

    assert heads.public_key(signing_key.load(vault)) == heads.public_key(key)
    assert heads.public_key(signing_key.load(vault, file)) != heads.public_key(key)
