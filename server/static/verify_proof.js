/*
 * Verifies a proof of the log in the browser: the second implementation of docs/log.md, beside tools/verify_proof.py.
 *
 *   entries = await verifyProof(text, publicKey)    // throws Mismatch, whose message names the first bad part
 *
 * It uses WebCrypto (SHA-256, Ed25519) and asks no server. Browsers offer WebCrypto on https and on this machine only.
 */
"use strict";

(() => {
  const FORMAT = "ansim proof 1";
  const HEAD = "ansim log head 1";

  class Mismatch extends Error {}
  class NotSupported extends Error {}

  const encoder = new TextEncoder();

  const require = (condition) => {
    if (!condition) {
      throw new Mismatch("does not match");
    }
  };

  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

  /* Python compares texts by code points, JavaScript by UTF-16 units. */
  const compare = (a, b) => {
    const [left, right] = [Array.from(a, (c) => c.codePointAt(0)), Array.from(b, (c) => c.codePointAt(0))];
    for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
      if (left[i] !== right[i]) {
        return left[i] - right[i];
      }
    }
    return left.length - right.length;
  };

  /* RFC 8785 for what the log holds: texts, whole numbers, true, false, null, lists and objects. */
  const canonical = (value) => {
    if (Array.isArray(value)) {
      return `[${value.map(canonical).join(",")}]`;
    }
    if (isObject(value)) {
      const names = Object.keys(value).sort(compare);
      return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
    }
    if (typeof value === "string") {
      require(value.isWellFormed ? value.isWellFormed() : !/\p{Surrogate}/u.test(value));
    } else if (typeof value === "number") {
      require(Number.isSafeInteger(value));
    }
    return JSON.stringify(value);
  };

  const bytesOf = (text) => {
    require(typeof text === "string" && /^([0-9a-f]{2})*$/.test(text));
    return Uint8Array.from(text.match(/../g) || [], (digits) => parseInt(digits, 16));
  };

  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  const joined = (a, b) => {
    const both = new Uint8Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    return both;
  };

  const importKey = async (key) => {
    if (!window.isSecureContext || !window.crypto || !window.crypto.subtle) {
      throw new NotSupported("context");
    }
    try {
      return await crypto.subtle.importKey("raw", bytesOf(key), { name: "Ed25519" }, false, ["verify"]);
    } catch (error) {
      if (error.name === "NotSupportedError") {
        throw new NotSupported("Ed25519");
      }
      throw new Mismatch("the public key");
    }
  };

  /* Check one entry that the proof has in full; return it with its personal fields, or null for those. */
  const readEntry = async (item, n, headTime, earlier) => {
    const entry = JSON.parse(item.entry);
    const personal = item.personal;
    require(isObject(entry) && isCount(entry.at_s) && typeof entry.kind === "string" && typeof entry.subject === "string");
    require(!earlier || entry.n <= earlier.n || entry.at_s >= earlier.at_s);
    require(entry.at_s <= headTime && entry.n === n);
    if (personal === null) {
      return { ...entry, committed: Boolean(entry.personal), personal: null };
    }
    require(typeof personal.salt === "string" && typeof personal.content === "string");
    const digest = hexOf(await sha256(encoder.encode(personal.salt + personal.content)));
    require(digest === entry.personal);
    return { ...entry, committed: true, personal: JSON.parse(personal.content) };
  };

  const checkHead = async (part, n, chain, key, imported) => {
    const head = part.head;
    require(head.n === n && head.hash === hexOf(chain) && head.key === key);
    require(Object.keys(part).length === 3 && Object.keys(head).length === 5);
    const statement = canonical({ at_s: head.at_s, hash: head.hash, n, what: HEAD });
    const signature = bytesOf(head.signature);
    require(await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, encoder.encode(statement)));
  };

  const checkErasures = (proof, entries) => {
    const erased = new Map();
    for (const row of entries.filter((entry) => entry.kind === "personal.erased")) {
      row.body.entries.forEach((n) => erased.set(n, row.n));
    }
    for (const [n, said] of erased) {
      require(n < said);
    }
    const named = entries.filter((entry) => entry.personal);
    require(!named.some((entry) => erased.has(entry.n)));
    if (proof.subjects.length === 0 && named.length > 0) {
      // The whole log, with names: what is missing was erased.
      require(entries.every((entry) => !entry.committed || entry.personal || erased.has(entry.n)));
    }
  };

  async function verifyProof(text, key) {
    const imported = await importKey(key);
    const entries = [];
    let name = "the proof";
    try {
      const proof = JSON.parse(text);
      require(isObject(proof) && Object.keys(proof).length === 3 && proof.format === FORMAT);
      require(canonical(proof) === text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ""));
      for (const part of proof.parts) {
        let n = part.items[0].n - 1;
        let chain = bytesOf(part.after);
        require(part.head !== undefined);
        for (const item of part.items) {
          n += 1;
          name = `entry ${n}`;
          const isWhole = item.entry !== undefined && item.entry !== null;
          const digest = isWhole ? await sha256(encoder.encode(item.entry)) : bytesOf(item.digest);
          chain = await sha256(joined(chain, digest));
          require(item.n === n && item.hash === hexOf(chain));
          require(Object.keys(item).length === (isWhole ? 4 : 3) && (!isWhole || item.personal !== undefined));
          if (isWhole) {
            name = `entry ${n} or its personal fields`;
            entries.push(await readEntry(item, n, part.head.at_s, entries[entries.length - 1]));
          }
        }
        name = `the signed head of entry ${n}`;
        await checkHead(part, n, chain, key, imported);
      }
      name = "what is said to be forgotten";
      checkErasures(proof, entries);
      name = "the list of subjects";
      const subjects = [...new Set(entries.map((entry) => entry.subject))].sort(compare);
      require(entries.length > 0);
      const isWhole = proof.subjects.length === 0 && entries.every((entry, i) => entry.n === i + 1);
      require(canonical(proof.subjects) === canonical(isWhole ? [] : subjects));
    } catch (error) {
      throw new Mismatch(name);
    }
    return entries;
  }

  /* The page. */

  const line = (entry, titles) => {
    const row = document.createElement("li");
    row.className = "log-line";
    const add = (tag, text, style) => {
      const element = document.createElement(tag);
      element.textContent = text;
      element.className = style;
      row.append(element);
    };
    const time = new Date(entry.at_s * 1000).toLocaleString(document.documentElement.lang, { hour12: false });
    add("p", `${titles[entry.kind] || entry.kind} · ${time} · ${entry.n}`, "strong");
    add("p", `${entry.subject} ${canonical(entry.body)}`, "small mono wrap-anywhere");
    if (entry.personal) {
      add("p", canonical(entry.personal), "small wrap-anywhere");
    }
    return row;
  };

  const readText = async (file) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());

  const startPage = (form) => {
    const result = document.getElementById("result");
    const list = document.getElementById("entries");
    const words = result.dataset;
    const titles = JSON.parse(words.titles);
    const parts = JSON.parse(words.parts);
    const describe = (name) => {
      const number = name.match(/\d+/);
      return (parts[name.replace(/\d+/, "#")] || name).replace("#", number ? number[0] : "");
    };
    const show = (text, verdict) => {
      result.textContent = text;
      result.dataset.verdict = verdict;
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      list.replaceChildren();
      const file = form.elements.proof.files[0];
      if (!file) {
        show(words.needed, "needed");
        return;
      }
      try {
        let text = "";
        try {
          text = await readText(file);
        } catch (error) {
          throw new Mismatch("the proof");
        }
        const entries = await verifyProof(text, form.elements.key.value.trim().toLowerCase());
        list.replaceChildren(...entries.map((entry) => line(entry, titles)));
        show(words.proven.replace("0", entries.length), "proven");
      } catch (error) {
        const isUnsupported = error instanceof NotSupported;
        if (isUnsupported) {
          show(words.unsupported, "unsupported");
        } else {
          show(`${words.mismatch} ${describe(error.message)}`, "mismatch");
        }
      }
    });
  };

  window.verifyProof = verifyProof;
  const form = document.getElementById("verify");
  if (form) {
    startPage(form);
  }
})();
