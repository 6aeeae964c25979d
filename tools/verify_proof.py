"""
Verify a proof from Ansim's log without trusting its server: `python verify_proof.py proof.json PUBLIC_KEY`

Get PUBLIC_KEY (64 hex digits) from a source you trust. Needs the package `cryptography`; docs/log.md describes proofs.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def check(text: str, key: str) -> list[dict]:
    """Return the entries of a proof, oldest first. Raises ValueError that names the first part that does not verify."""
    entries, name = [], "the proof"
    try:
        proof = json.loads(text)
        require(canonical(proof) == text.strip() and proof["format"] == "ansim proof 1" and len(proof) == 3)
        for part in proof["parts"]:
            n, chain, head = part["items"][0]["n"] - 1, unhex(part["after"]), part["head"]
            for item in part["items"]:
                n, name, body = n + 1, f"entry {n + 1}", item.get("entry")
                chain = sha256(chain + (unhex(item["digest"]) if body is None else sha256(body.encode())))
                require(type(item["n"]) is int)  # true equals 1
                require((n, chain) == (item["n"], unhex(item["hash"])) and len(item) == (3 if body is None else 4))
                if body is not None:
                    entry, personal, name = json.loads(body), item["personal"], f"entry {n} or its personal fields"
                    require(not entries or entry["n"] <= entries[-1]["n"] or entry["at_s"] >= entries[-1]["at_s"])
                    require(entry["at_s"] <= head["at_s"])
                    digest = personal and sha256((personal["salt"] + personal["content"]).encode()).hex()
                    require(entry["n"] == n and (personal is None or digest == entry["personal"]))
                    entries.append({**entry, "personal": json.loads(personal["content"]) if personal else None})
            name = f"the signed head of entry {n}"
            require((head["n"], unhex(head["hash"]), head["key"], len(part), len(head)) == (n, chain, key, 3, 5))
            signed = canonical({"at_s": head["at_s"], "hash": head["hash"], "n": n, "what": "ansim log head 1"})
            Ed25519PublicKey.from_public_bytes(unhex(key)).verify(unhex(head["signature"]), signed.encode())
        name = "what is said to be forgotten"
        forgotten = {n: row["n"] for row in entries if row["kind"] == "personal.erased" for n in row["body"]["entries"]}
        require(all(n < said for n, said in forgotten.items()))
        with_names = {row["n"] for row in entries if row["personal"]}
        require(not with_names & forgotten.keys())
        if proof["subjects"] == [] and with_names:  # the whole log, with names: what is missing was forgotten
            committed = {
                json.loads(item["entry"])["n"]
                for part in proof["parts"]
                for item in part["items"]
                if "entry" in item and json.loads(item["entry"])["personal"]
            }
            require(committed <= with_names | forgotten.keys())
        name = "the list of subjects"
        is_whole = [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
        subjects = [] if proof["subjects"] == [] and is_whole else sorted({entry["subject"] for entry in entries})
        require(entries and proof["subjects"] == subjects)
    except Exception as error:
        raise ValueError(f"{name} is not as it was written and signed ({type(error).__name__} {error})") from error
    return entries


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unhex(text: str) -> bytes:
    require(bytes.fromhex(text).hex() == text)
    return bytes.fromhex(text)


def require(condition: object) -> None:
    if not condition:
        raise ValueError("does not match")


if __name__ == "__main__":
    for row in check(Path(sys.argv[1]).read_text("utf-8"), sys.argv[2].strip().lower()):
        print(row["n"], row["at_s"], row["kind"], row["subject"], canonical(row["body"]), row["personal"] or "")
    print("proven: these entries are in the log that was signed with this key")
