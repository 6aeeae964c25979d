/*
 * What pages do by themselves: tell how long ago, run the clock of an inspection, say when the
 * connection is gone, and announce a finding that has just arrived. Everything works without it;
 * a page then shows the time of day instead and reloads itself.
 */
"use strict";

(() => {
  const language = document.documentElement.lang;
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "long" });
  const units = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ];
  // The server's clock, so that a phone with a wrong clock still shows the right distance.
  const stamp = document.querySelector('meta[name="server-time"]');
  const skewMs = stamp ? Number(stamp.content) * 1000 - Date.now() : 0;

  const nowMs = () => Date.now() + skewMs;

  function ago(seconds) {
    const rounded = Math.max(0, Math.round(seconds));
    const [unit, length] = units.find(([, size]) => rounded >= size) || units[3];
    return words.format(-Math.floor(rounded / length), unit);
  }

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    return (hours ? hours + ":" : "") + two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60);
  }

  function tick() {
    for (const element of document.querySelectorAll("time[data-ago]")) {
      const text = ago((nowMs() - Date.parse(element.dateTime)) / 1000);
      if (element.textContent !== text) {
        element.title = element.title || element.textContent;
        element.textContent = text;
      }
    }
    for (const element of document.querySelectorAll("[data-since]")) {
      const text = clock((nowMs() - Date.parse(element.dataset.since)) / 1000);
      if (element.textContent !== text) {
        element.textContent = text;
      }
    }
  }

  // Live pages poll. A page that no longer hears from the server must not look as if it did.
  const lost = document.getElementById("lost");
  const title = document.title;

  function connected(yes) {
    if (lost) {
      lost.hidden = yes;
    }
  }

  document.addEventListener("htmx:sendError", () => connected(false));
  document.addEventListener("htmx:timeout", () => connected(false));
  document.addEventListener("htmx:responseError", () => connected(false));
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) {
      connected(true);
    }
  });

  // The list of findings says how many alarms there are; announce it when the number grows, and show what is new.
  const announcer = document.getElementById("announcer");
  const alarms = () => Number(document.querySelector("[data-findings]")?.dataset.findings || 0);
  const rows = () => [...document.querySelectorAll("[data-finding]")];
  let known = alarms();
  let shown = new Set(rows().map((row) => row.dataset.finding));

  function swapped() {
    tick();
    for (const row of rows()) {
      row.classList.toggle("arrived", !shown.has(row.dataset.finding));
    }
    const list = document.querySelector("[data-findings]");
    const now = alarms();
    if (list && now > known) {
      if (announcer) {
        announcer.textContent = list.dataset.says;
      }
      document.title = "(" + now + ") " + title;
      if (navigator.vibrate) {
        navigator.vibrate([200, 100, 200]);
      }
    }
    known = now;
    shown = new Set(rows().map((row) => row.dataset.finding));
  }

  // A page of several live parts swaps them out of band, one of a single part swaps itself.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "findings") {
      swapped();
    } else {
      tick();
    }
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id === "live-findings") {
      swapped();
    } else {
      tick();
    }
  });

  for (const button of document.querySelectorAll("[data-print]")) {
    button.addEventListener("click", () => window.print());
  }

  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault(); // a second press of the button
      }
      form.dataset.sent = "yes";
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form")) {
      delete form.dataset.sent;
    }
  });

  tick();
  setInterval(tick, 1000);
})();
