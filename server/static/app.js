/*
 * Live parts of all pages: relative times, the clock of a running inspection, a notice when the connection is lost, and
 * the announcement of new findings. Everything works without it; pages then show times of day and reload themselves.
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
  // By the server's clock, so that a phone with a wrong clock still shows the right intervals.
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

  // Live pages poll. A page without a connection must not look up to date.
  const lost = document.getElementById("lost");
  const title = document.title;

  function setConnected(connected) {
    if (lost) {
      lost.hidden = connected;
    }
  }

  document.addEventListener("htmx:sendError", () => setConnected(false));
  document.addEventListener("htmx:timeout", () => setConnected(false));
  document.addEventListener("htmx:responseError", () => setConnected(false));
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) {
      setConnected(true);
    }
  });

  // The list of findings has the number of alarms: announce it when it grows, and mark new findings.
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

  // A page with several live parts swaps them out of band; a single live part swaps itself.
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
