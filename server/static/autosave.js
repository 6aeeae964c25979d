/*
 * Answers of the checklist are saved as they are given. What the server has not taken yet is kept on the phone: it is sent
 * again when there is a network, from any page, and in the name of the person who gave it only.
 */
"use strict";

(() => {
  const PREFIX = "answer:";
  const RETRY_MS = 5000;
  const here = document.getElementById("offline");
  if (!here) {
    return;
  }
  const person = here.dataset.user;
  const form = document.querySelector("form[data-autosave]");
  const status = document.getElementById("saved");
  const refused = new Map(); // key: the note that says why, with a button to discard the answer
  let sending = null;

  const say = (name, text = "") => {
    if (status) {
      status.textContent = text || (name ? status.dataset[name] : "");
      status.dataset.state = name;
    }
  };
  const pending = () =>
    Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => [key, JSON.parse(localStorage.getItem(key))])
      .filter(([key, entry]) => entry.person === person && !refused.has(key))
      .sort(([, one], [, other]) => one.at - other.at);
  const isComplete = (entry) => !entry.lacksReason && (entry.word === "ok" || entry.note);
  const keyOf = (address, stall, item) => [PREFIX + person, address, stall, item].join("|");
  const field = (name) => form?.elements[name];

  function allow(key) {
    refused.get(key)?.remove();
    refused.delete(key);
  }

  function refuse(key, entry, why) {
    const note = here.querySelector("[data-kind=answer]").content.firstElementChild.cloneNode(true);
    note.querySelector("p").append(" ", why);
    note.querySelector("a").href = entry.address + "?stall=" + entry.stall;
    note.querySelector("button").addEventListener("click", () => {
      localStorage.removeItem(key);
      allow(key);
      say("");
    });
    refused.set(key, note);
    here.append(note);
  }

  async function send(key, entry) {
    const body = new URLSearchParams({ csrf_token: here.dataset.token, stall: entry.stall });
    body.set("answer-" + entry.item, entry.word);
    body.set("note-" + entry.item, entry.note);
    body.set("seen-" + entry.item, entry.seen);
    body.set("age_s", Math.max(0, Math.round((Date.now() - entry.at) / 1000)));
    const answer = await fetch(entry.address, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" }, body });
    const isJson = answer.headers.get("Content-Type")?.includes("json");
    const reply = isJson && !answer.redirected ? await answer.json() : null;
    if (answer.ok && reply) {
      // Another press of the same line may have come meanwhile: it has seen this one.
      const newest = JSON.parse(localStorage.getItem(key));
      if (newest?.at === entry.at) {
        localStorage.removeItem(key);
      } else if (newest) {
        localStorage.setItem(key, JSON.stringify({ ...newest, seen: reply.seen }));
      }
      if (form?.dataset.autosave === entry.address && field("stall").value === String(entry.stall)) {
        field("seen-" + entry.item).value = reply.seen;
        document.getElementById("answered").textContent = reply.answered;
      }
      return reply.warning || "";
    }
    if (reply?.why) {
      refuse(key, entry, reply.why);
      throw new Error(reply.why);
    }
    throw new Error(answer.status < 500 ? status?.dataset.session : status?.dataset.offline);
  }

  async function flush() {
    let warning = "";
    for (let entries; (entries = pending().filter(([, entry]) => isComplete(entry))).length; ) {
      try {
        warning = (await send(...entries[0])) || warning;
      } catch (problem) {
        say("offline", problem instanceof TypeError ? "" : problem.message); // fetch() throws a TypeError without a network
        return;
      }
      say("done", warning);
    }
  }

  function start() {
    sending ??= flush().finally(() => {
      sending = null;
    });
    return sending;
  }

  function keep(item) {
    const word = form.querySelector(`[name="answer-${item}"]:checked`)?.value;
    if (!word) {
      return;
    }
    const address = form.dataset.autosave;
    const stall = Number(field("stall").value);
    // "ok" in place of a suspicion needs words of its own.
    const box = field("note-" + item);
    const note = box.value.trim();
    const lacksReason = word === "ok" && box.closest("[data-reason]") !== null && (!note || note === box.defaultValue.trim());
    const entry = { person, address, stall, item, word, note, lacksReason, seen: field("seen-" + item).value };
    const key = keyOf(address, stall, item);
    allow(key);
    localStorage.setItem(key, JSON.stringify({ ...entry, at: Date.now() }));
    const chosen = [...form.querySelectorAll('[type="radio"]:checked')];
    document.getElementById("scene").hidden = !chosen.some((radio) => radio.value === "suspicious");
    if (isComplete(entry)) {
      start().then(start);
    } else {
      say("reason");
      field("note-" + item).focus();
    }
  }

  if (form) {
    for (const [, entry] of pending()) {
      if (entry.address === form.dataset.autosave && String(entry.stall) === field("stall").value && field("answer-" + entry.item)) {
        field("answer-" + entry.item).value = entry.word;
        field("note-" + entry.item).value = entry.note;
      }
    }
    form.addEventListener("change", (event) => {
      const item = event.target.name?.match(/^(?:answer|note)-(.+)$/)?.[1];
      if (item) {
        keep(item);
      }
    });
  }
  addEventListener("online", start);
  setInterval(() => pending().length && start(), RETRY_MS);
  start();
})();
