"""
Check a proof from Ansim's log without trusting its server: `python verify_proof.py proof.json PUBLIC_KEY`.

PUBLIC_KEY (64 hex digits) comes from somebody you trust. Needs `cryptography`; docs/log.md says what is computed.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def check(text: str, key: str) -> list:
    """Return the entries a proof shows, oldest first. Raises an exception that names the first thing that is wrong."""
    proof, shown, where = json.loads(text), [], "the proof"
    try:
        must(canonical(proof) == text.strip() and proof["format"] == "ansim proof 1" and len(proof) == 3)
        for part in proof["parts"]:
            n, chained, head = part["items"][0]["n"] - 1, unhex(part["after"]), part["head"]
            for item in part["items"]:
                n, where, written = n + 1, f"entry {n + 1}", item.get("entry")
                chained = sha256(chained + (unhex(item["digest"]) if written is None else sha256(written.encode())))
                must((n, chained) == (item["n"], unhex(item["hash"])) and len(item) == (3 if written is None else 4))
                if written is not None:
                    one, aside, where = json.loads(written), item["personal"], f"entry {n} or its personal fields"
                    kept = aside and sha256((aside["salt"] + aside["content"]).encode()).hex()
                    must(one["n"] == n and (aside is None or kept == one["personal"]))
                    shown.append({**one, "personal": json.loads(aside["content"]) if aside else None})
            where = f"the signed head of entry {n}"
            must((head["n"], unhex(head["hash"]), head["key"], len(part), len(head)) == (n, chained, key, 3, 5))
            said = canonical({"at_s": head["at_s"], "hash": head["hash"], "n": n, "what": "ansim log head 1"}).encode()
            Ed25519PublicKey.from_public_bytes(unhex(key)).verify(unhex(head["signature"]), said)
        must(shown and proof["subjects"] in ([], sorted({one["subject"] for one in shown})))
    except Exception as error:
        raise ValueError(f"{where} is not as it was written and signed ({type(error).__name__} {error})") from error
    return shown


def sha256(data):
    return hashlib.sha256(data).digest()


def unhex(text):
    must(bytes.fromhex(text).hex() == text)
    return bytes.fromhex(text)


def must(good):
    if not good:
        raise ValueError("does not fit")


if __name__ == "__main__":
    for one in check(Path(sys.argv[1]).read_text("utf-8"), sys.argv[2].strip().lower()):
        print(one["n"], one["at_s"], one["kind"], one["subject"], canonical(one["body"]), one["personal"] or "")
    print("proven: these entries are in the log that was signed with this key")
