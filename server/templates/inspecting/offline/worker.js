{# The service worker: caches the offline page with its files, and shows it when a page cannot be fetched. #}
"use strict";

const SHELL = {{ url_for("offline.shell")|tojson }};
const FILES = {{ files|tojson }};
const NAME = "ansim-" + {{ digest|tojson }};

async function fillCache() {
  const cache = await caches.open(NAME);
  await cache.addAll([new Request(SHELL, { cache: "reload" }), ...FILES]);
}

self.addEventListener("install", (event) => {
  event.waitUntil(fillCache().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const deleteOthers = (names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(deleteOthers).then(() => self.clients.claim()));
});

// After a change of language: fetch the page again.
self.addEventListener("message", (event) => {
  if (event.data === "refresh") {
    event.waitUntil(fillCache());
  }
});

async function page(request) {
  try {
    return await fetch(request);
  } catch (problem) {
    return (await caches.match(SHELL)) || Promise.reject(problem);
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) {
    return;
  }
  if (request.mode === "navigate") {
    event.respondWith(page(request));
  } else if (FILES.includes(address.pathname + address.search)) {
    event.respondWith(caches.match(request).then((cached) => cached || fetch(request)));
  }
});
