/*
 * On every page of an inspector: register the service worker that caches the offline page, refresh the kit, and hand over
 * the visits that were recorded without a network.
 */
"use strict";

(async () => {
  const here = document.getElementById("offline");
  if (!("serviceWorker" in navigator) || !window.isSecureContext || !here) {
    return;
  }
  const KIT_AGE_S = 600;
  const token = here.dataset.token;
  const language = document.documentElement.lang;
  const isOwn = (visit) => visit.user === here.dataset.user;
  const pageOf = (visit) => here.dataset.shell + (isOwn(visit) ? "#" + visit.room : "");

  async function refreshKit() {
    const old = await OfflineStore.kit();
    const also = [...document.querySelectorAll("[data-take-along]")].flatMap((element) => element.dataset.takeAlong.split(","));
    const known = new Set(old?.rooms.map((room) => room.id));
    const fresh = old && old.user === here.dataset.user && old.language === language && Date.now() / 1000 - old.at_s < KIT_AGE_S;
    if (fresh && also.every((id) => known.has(id))) {
      return;
    }
    const answer = await fetch(here.dataset.kit + "?also=" + also.join(","), { credentials: "same-origin" });
    if (answer.ok && !answer.redirected) {
      await OfflineStore.putKit({ ...(await answer.json()), language, at_s: Date.now() / 1000 });
      const worker = await navigator.serviceWorker.ready;
      if (old && old.language !== language) {
        worker.active.postMessage("refresh");
      }
    }
  }

  function show(kind, visit, text, href) {
    const note = here.querySelector("[data-kind=" + kind + "]").content.firstElementChild.cloneNode(true);
    const paragraph = note.querySelector("p");
    paragraph.prepend((names.get(visit.room) || visit.room) + ": ");
    if (text) {
      paragraph.append(" ", text);
    }
    const link = note.querySelector("a");
    if (link) {
      link.href = href;
    }
    here.append(note);
  }

  async function handOver(visit) {
    const body = { ...visit, sent_s: Math.floor(Date.now() / 1000) };
    delete body.stalls;
    const answer = await fetch(here.dataset.visits, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(body),
    });
    const reply = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
    if (answer.ok && reply.href) {
      await OfflineStore.deleteVisit(visit);
      show("done", visit, "", reply.href);
    } else {
      show("refused", visit, reply.why || "", pageOf(visit));
    }
  }

  await navigator.serviceWorker.register(here.dataset.worker);
  await refreshKit();
  const names = new Map((await OfflineStore.kit())?.rooms.map((room) => [room.id, room.name]));
  const visits = await OfflineStore.visits();
  for (const visit of visits.filter((visit) => visit.ended_s)) {
    await handOver(visit);
  }
  for (const visit of visits.filter((visit) => !visit.ended_s && isOwn(visit))) {
    show("open", visit, "", pageOf(visit));
  }
  document.dispatchEvent(new Event("visits-handed-over"));
})().catch(() => {
  // Without a network or storage, the visits stay on the phone.
});
