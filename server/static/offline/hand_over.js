/*
 * On every page of somebody who inspects: register the worker that keeps the page for places without a network, bring
 * what is taken along up to date, and hand over the visits that were written down without one.
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
  const mine = (visit) => visit.user === here.dataset.user;
  const pageOf = (visit) => here.dataset.shell + (mine(visit) ? "#" + visit.room : "");

  async function takeAlong() {
    const old = await Kept.kit();
    const also = [...document.querySelectorAll("[data-take-along]")].flatMap((one) => one.dataset.takeAlong.split(","));
    const known = new Set(old?.rooms.map((room) => room.id));
    const fresh = old && old.user === here.dataset.user && old.language === language && Date.now() / 1000 - old.at_s < KIT_AGE_S;
    if (fresh && also.every((id) => known.has(id))) {
      return;
    }
    const answer = await fetch(here.dataset.kit + "?also=" + also.join(","), { credentials: "same-origin" });
    if (answer.ok && !answer.redirected) {
      await Kept.keepKit({ ...(await answer.json()), language, at_s: Date.now() / 1000 });
      const worker = await navigator.serviceWorker.ready;
      if (old && old.language !== language) {
        worker.active.postMessage("keep");
      }
    }
  }

  function tell(kind, visit, text, href) {
    const note = here.querySelector("[data-kind=" + kind + "]").content.firstElementChild.cloneNode(true);
    const said = note.querySelector("p");
    said.prepend((names.get(visit.room) || visit.room) + ": ");
    if (text) {
      said.append(" ", text);
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
    const said = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
    if (answer.ok && said.href) {
      await Kept.dropVisit(visit);
      tell("done", visit, "", said.href);
    } else {
      tell("refused", visit, said.why || "", pageOf(visit));
    }
  }

  await navigator.serviceWorker.register(here.dataset.worker);
  await takeAlong();
  const names = new Map((await Kept.kit())?.rooms.map((room) => [room.id, room.name]));
  const visits = await Kept.visits();
  for (const visit of visits.filter((one) => one.ended_s)) {
    await handOver(visit);
  }
  for (const visit of visits.filter((one) => !one.ended_s && mine(one))) {
    tell("open", visit, "", pageOf(visit));
  }
})().catch(() => {
  // No network again, or a browser that keeps nothing: what waits goes on waiting.
});
