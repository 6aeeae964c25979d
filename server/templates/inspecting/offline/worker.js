{# The service worker. It keeps one page with its files, and shows it when a page cannot be fetched; nothing else. #}
"use strict";

const SHELL = {{ url_for("offline.shell")|tojson }};
const FILES = {{ files|tojson }};
const NAME = "ansim-" + {{ digest|tojson }};

async function keep() {
  const cache = await caches.open(NAME);
  await cache.addAll([new Request(SHELL, { cache: "reload" }), ...FILES]);
}

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const others = (names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(others).then(() => self.clients.claim()));
});

// The language was changed: fetch the page again.
self.addEventListener("message", (event) => {
  if (event.data === "keep") {
    event.waitUntil(keep());
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
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  }
});
