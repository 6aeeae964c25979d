/* The offline page: choose a restroom and answer its checklist stall by stall. Every input is stored at once. */
"use strict";

(async () => {
  const byId = (id) => document.getElementById(id);
  const texts = byId("sentences").dataset;
  const NUMBER = /^[0-9a-hjkmnp-tv-z]{10}$/; // as server/ids.py makes them
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  const nowS = () => Math.floor(Date.now() / 1000);
  const kit = (await OfflineStore.kit()) || { rooms: [], lists: {}, standard: "", user: "" };
  const rooms = new Map(kit.rooms.map((room) => [room.id, room]));
  let visit = null;

  const isOwn = (stored) => stored.user === kit.user;
  // As ids.clean() in server/ids.py: typing mistakes become the number that was meant.
  const clean = (typed) => typed.replace(/[-\s]/g, "").replace(/o/g, "0").replace(/[il]/g, "1");
  const make = (id) => byId(id).content.firstElementChild.cloneNode(true);
  const items = () => kit.lists[rooms.get(visit.room)?.list || kit.standard] || [];
  const nameOf = (id) => rooms.get(id)?.name || texts.unknown.replace("{number}", id);

  function row(href, name, about) {
    const item = make("t-row");
    const link = item.querySelector("a");
    link.textContent = name;
    if (href) {
      link.href = href;
    } else {
      link.removeAttribute("href");
    }
    item.querySelector("p").textContent = about;
    return item;
  }

  function search(typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (room) => words.every((part) => (room.name + " " + room.about + " " + room.id).toLowerCase().includes(part));
    return kit.rooms.filter(fits);
  }

  async function choose(typed = "") {
    visit = null;
    byId("visit").hidden = true;
    byId("choose").hidden = byId("about").hidden = false;
    byId("title").textContent = document.title.split(" · ")[0];
    const found = search(typed);
    const waiting = await OfflineStore.visits();
    const sinceOf = (stored) => texts.since.replace("{time}", time.format(stored.began_s * 1000));
    const stateOf = (stored) => (isOwn(stored) ? (stored.ended_s ? texts.done : texts.open) : texts.other);
    byId("waiting").hidden = !waiting.length;
    byId("waiting").querySelector("ul").replaceChildren(
      ...waiting.map((stored) => {
        const href = isOwn(stored) ? "#" + stored.room : "";
        return row(href, nameOf(stored.room), sinceOf(stored) + " · " + stateOf(stored));
      }),
    );
    byId("rooms").hidden = !found.length;
    byId("rooms").querySelector("ul").replaceChildren(...found.slice(0, 100).map((room) => row("#" + room.id, room.name, room.about)));
    byId("empty").hidden = kit.rooms.length > 0 || waiting.length > 0;
    byId("unknown").hidden = !typed || found.length > 0;
  }

  // As load_progress() in services/inspecting/checklists.py: a room without a number of stalls is answered as a whole.
  function linesAt(stall, stalls) {
    return items().filter((item) => !stalls || (stall ? ["stall", "both"] : ["room", "both"]).includes(item.where));
  }

  function stallsHere() {
    return rooms.has(visit.room) ? rooms.get(visit.room).stalls : visit.stalls || 0;
  }

  // Stores every change at once, and reopens a visit that was done.
  async function save() {
    delete visit.ended_s;
    const lens = document.querySelector('[name="lens"]:checked')?.value || "";
    visit.lens_at_s = lens === visit.lens ? visit.lens_at_s || 0 : nowS();
    visit.lens = lens;
    visit.lens_note = byId("lens-note").value.trim();
    visit.note = byId("note").value.trim();
    await OfflineStore.putVisit(visit);
    warn();
  }

  function warn() {
    const answered = Object.values(visit.answers).flatMap((part) => Object.values(part));
    byId("scene").hidden = visit.lens !== "suspicious" && !answered.some(([word]) => word === "suspicious");
  }

  function drawPart(stall, stalls) {
    const part = make("t-part");
    const [name, count] = part.querySelectorAll("summary span");
    name.textContent = stall ? name.dataset.stall + " " + stall : name.dataset.room;
    const lines = linesAt(stall, stalls);
    const answers = () => visit.answers[stall] || {};
    const show = () => {
      count.textContent = lines.filter((line) => answers()[line.key]).length + " / " + lines.length;
    };
    for (const line of lines) {
      const item = make("t-item");
      item.querySelector("legend").textContent = line.text;
      const note = item.querySelector(".check-note input");
      const [word, text] = answers()[line.key] || ["", ""];
      note.value = text;
      const radios = [...item.querySelectorAll('[type="radio"]')];
      for (const radio of radios) {
        radio.name = "answer-" + stall + "-" + line.key;
        radio.checked = radio.value === word;
      }
      item.addEventListener("input", async () => {
        const chosen = radios.find((radio) => radio.checked);
        if (chosen) {
          (visit.answers[stall] ??= {})[line.key] = [chosen.value, note.value.trim(), nowS()];
        }
        await save();
        show(); // counts only what has been stored
      });
      part.querySelector("ul").append(item);
    }
    part.querySelector("[data-rest]").addEventListener("change", async (event) => {
      event.stopPropagation();
      if (event.target.checked) {
        for (const line of lines) {
          (visit.answers[stall] ??= {})[line.key] ??= ["ok", "", nowS()];
          const chosen = part.querySelector(`[name="answer-${stall}-${line.key}"][value="${visit.answers[stall][line.key][0]}"]`);
          chosen.checked = true;
        }
        await save();
        show();
      }
    });
    show();
    return part;
  }

  function drawParts() {
    const stalls = stallsHere();
    const numbers = Array.from({ length: stalls + 1 }, (_, stall) => stall).filter((stall) => linesAt(stall, stalls).length);
    const parts = numbers.map((stall) => drawPart(stall, stalls));
    if (parts.length) {
      parts[0].open = true;
    }
    byId("parts").replaceChildren(...parts);
  }

  async function enter(id) {
    // Stored from the first input on: a page that was only viewed is no visit.
    const fresh = { key: OfflineStore.key(), user: kit.user, room: id, began_s: nowS(), answers: {} };
    visit = (await OfflineStore.visits()).find((stored) => stored.room === id && isOwn(stored)) || fresh;
    byId("choose").hidden = byId("about").hidden = true;
    byId("title").textContent = nameOf(id);
    byId("stalls-field").hidden = rooms.has(id);
    byId("stalls").value = visit.stalls || 0;
    byId("lens-note").value = visit.lens_note || "";
    byId("note").value = visit.note || "";
    for (const radio of document.querySelectorAll('[name="lens"]')) {
      radio.checked = radio.value === visit.lens;
    }
    drawParts();
    byId("reasons").hidden = true;
    byId("visit").hidden = false;
    warn();
    byId("main").focus();
    scrollTo(0, 0);
  }

  function lacksNotes() {
    const lacksNote = ([word, note]) => word !== "ok" && !note;
    const answered = Object.values(visit.answers).flatMap((part) => Object.values(part));
    return answered.some(lacksNote) || (["suspicious", "not_done"].includes(visit.lens) && !visit.lens_note);
  }

  // The address becomes that of the offline page: reloading the address of a door would begin a visit there.
  function leave() {
    history.replaceState(null, "", texts.shell);
    choose();
  }

  function route() {
    const number = location.hash.slice(1);
    if (NUMBER.test(number) && kit.user) {
      enter(number);
    } else {
      choose();
    }
  }

  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = byId("number").value.trim();
    const number = typed.split("/").pop().toLowerCase();
    if (rooms.has(clean(number))) {
      location.hash = clean(number);
    } else if (NUMBER.test(number) && kit.user && !search(typed).length) {
      location.hash = number; // not in the kit
    } else {
      choose(typed);
    }
  });
  byId("stalls").addEventListener("change", async (event) => {
    event.stopPropagation();
    visit.stalls = Math.max(0, Math.min(60, Number(event.target.value) || 0));
    await save();
    drawParts();
  });
  for (const id of ["lens-note", "note"]) {
    byId(id).addEventListener("input", save);
  }
  for (const radio of document.querySelectorAll('[name="lens"]')) {
    radio.addEventListener("change", save);
  }
  byId("visit").addEventListener("submit", async (event) => {
    event.preventDefault();
    await save();
    byId("reasons").hidden = !lacksNotes();
    if (!lacksNotes()) {
      visit.ended_s = nowS();
      await OfflineStore.putVisit(visit);
      leave();
    }
  });
  byId("later").addEventListener("click", leave);
  byId("discard").addEventListener("click", async (event) => {
    if (confirm(event.target.dataset.really)) {
      await OfflineStore.deleteVisit(visit);
      leave();
    }
  });

  const online = () => {
    byId("back").hidden = !navigator.onLine;
  };
  addEventListener("online", online);
  addEventListener("offline", online);
  addEventListener("hashchange", route);
  online();

  // The code on a door leads to /r/<number>: without a network this page is shown at that address.
  const door = location.pathname.match(/^\/(?:r|restrooms|inspect)\/([0-9a-z]+)/);
  if (door) {
    history.replaceState(null, "", texts.shell + "#" + door[1]);
  }
  route();
})();
