/*
 * What a phone keeps while it has no network: the kit (restrooms and lists) and the visits that are not handed over
 * yet. No names of people are in it, and a visit is wiped as soon as the server has it.
 */
"use strict";

const Kept = (() => {
  let opened = null;

  function open() {
    opened ??= new Promise((done, failed) => {
      const asked = indexedDB.open("ansim", 1);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore("kit");
        asked.result.createObjectStore("visits", { keyPath: "key" });
      };
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });
    return opened;
  }

  async function ask(store, mode, what) {
    const database = await open();
    return new Promise((done, failed) => {
      const work = database.transaction(store, mode);
      const asked = what(work.objectStore(store));
      work.oncomplete = () => done(asked.result);
      work.onerror = work.onabort = () => failed(work.error);
    });
  }

  // A UUID of version 7: the time first, so that visits sort by their beginning.
  function key() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    let now = Date.now();
    for (let place = 5; place >= 0; place -= 1) {
      bytes[place] = now % 256;
      now = Math.floor(now / 256);
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  return {
    key,
    kit: () => ask("kit", "readonly", (store) => store.get("kit")),
    forgetKit: () => ask("kit", "readwrite", (store) => store.delete("kit")),
    keepKit: (kit) => ask("kit", "readwrite", (store) => store.put(kit, "kit")),
    visits: () => ask("visits", "readonly", (store) => store.getAll()),
    keepVisit: (visit) => ask("visits", "readwrite", (store) => store.put(visit)),
    dropVisit: (visit) => ask("visits", "readwrite", (store) => store.delete(visit.key)),
  };
})();
