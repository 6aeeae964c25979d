/*
 * What a person typed survives a lost connection. It is kept in the tab's storage until the server says that the form
 * was handled (meta "sent-forms"), and is filled in again when the page is opened anew. Without a network the page stays.
 * Passwords and files are not kept.
 */
"use strict";

(() => {
  const PREFIX = "draft:";
  const LONGEST_MS = 12 * 3600 * 1000;
  const SECRET = /password|^(old|new|again|code|login|csrf_token|kept|strokes)$/;
  const meta = (name) => document.querySelector('meta[name="' + name + '"]')?.content || "";
  const person = meta("person");
  const storage = (() => {
    try {
      return window.sessionStorage;
    } catch {
      return null; // switched off
    }
  })();
  const drafts = () => Object.keys(storage || {}).filter((key) => key.startsWith(PREFIX));
  const address = (form) => {
    const url = new URL(form.action, location.href);
    return url.pathname + url.search;
  };
  const number = (form) => form.querySelector('input[name="once"]')?.value;

  function read(form) {
    const fields = [];
    for (const field of form.elements) {
      if (!field.name || field.disabled || SECRET.test(field.name)) continue;
      if (["password", "file", "submit", "button"].includes(field.type)) continue;
      if (field.type === "hidden" && !["once", "seen_entry"].includes(field.name)) continue;
      if (["checkbox", "radio"].includes(field.type)) {
        fields.push([field.name, field.value, field.checked]);
      } else {
        fields.push([field.name, field.value]);
      }
    }
    return fields;
  }

  function keep(form) {
    const fields = read(form);
    const typed = fields.some(([name, value, mark]) => !["once", "seen_entry"].includes(name) && (mark ?? value));
    if (!storage || !typed) return;
    try {
      const draft = { address: address(form), at: Date.now(), person, fields };
      storage.setItem(PREFIX + number(form), JSON.stringify(draft));
    } catch {
      // No room: then nothing is kept, as without this script.
    }
  }

  function fill(form, draft) {
    const used = {};
    for (const [name, value, mark] of draft.fields) {
      const same = [...form.elements].filter((field) => field.name === name);
      if (mark !== undefined) {
        for (const field of same) {
          if (field.value === value) field.checked = mark;
        }
      } else {
        const at = (used[name] = (used[name] ?? -1) + 1);
        if (same[at] && same[at].type !== "file") same[at].value = value;
      }
    }
    form.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function show(form, name, remove) {
    form.querySelector("[data-draft-note]")?.remove();
    const note = document.getElementById(name)?.content.firstElementChild?.cloneNode(true);
    if (!note) return;
    note.dataset.draftNote = "yes";
    note.querySelector("button")?.addEventListener("click", remove);
    form.prepend(note);
    note.scrollIntoView({ block: "nearest" });
  }

  for (const sent of meta("sent-forms").split(" ")) {
    storage?.removeItem(PREFIX + sent);
  }
  for (const key of drafts()) {
    let draft = null;
    try {
      draft = JSON.parse(storage.getItem(key));
    } catch {
      // not ours
    }
    if (!draft || Date.now() - draft.at > LONGEST_MS || (person && draft.person !== person)) {
      storage.removeItem(key);
      continue;
    }
    const forms = [...document.querySelectorAll('form[method="post"]')];
    const form = forms.find((one) => number(one) && !one.dataset.typed && address(one) === draft.address);
    // Two forms of a page may go to the same address: the one with the same fields is meant.
    const names = draft.fields.map(([name]) => name);
    if (form && names.every((name) => form.elements[name])) {
      fill(form, draft);
      show(form, "draft-restored", () => {
        storage.removeItem(key);
        location.reload();
      });
    }
  }

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (form.method !== "post") return;
      if (new URL(form.action).pathname === "/logout") {
        drafts().forEach((key) => storage.removeItem(key)); // the next person at this device sees none of them
        return;
      }
      if (!number(form)) return;
      keep(form);
      if (navigator.onLine === false) {
        event.preventDefault();
        event.stopImmediatePropagation();
        show(form, "draft-unsent");
      }
    },
    true,
  );
})();
