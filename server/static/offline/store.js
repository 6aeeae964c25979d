/*
 * The phone's store for inspecting without a network: the kit (restrooms and checklists) and the visits that are not
 * handed over yet. It holds no names of people, and a visit is deleted as soon as the server has it.
 */
"use strict";

const OfflineStore = (() => {
  let opened = null;

  function open() {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("ansim", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("kit");
        request.result.createObjectStore("visits", { keyPath: "key" });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return opened;
  }

  async function run(store, mode, action) {
    const database = await open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = action(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
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
    kit: () => run("kit", "readonly", (store) => store.get("kit")),
    deleteKit: () => run("kit", "readwrite", (store) => store.delete("kit")),
    putKit: (kit) => run("kit", "readwrite", (store) => store.put(kit, "kit")),
    visits: () => run("visits", "readonly", (store) => store.getAll()),
    putVisit: (visit) => run("visits", "readwrite", (store) => store.put(visit)),
    deleteVisit: (visit) => run("visits", "readwrite", (store) => store.delete(visit.key)),
  };
})();
