/* The page without a network: choose a restroom, answer its list stall by stall, keep every press at once. */
"use strict";

(async () => {
  const by = (id) => document.getElementById(id);
  const says = by("sentences").dataset;
  const NUMBER = /^[0-9a-hjkmnp-tv-z]{10}$/; // as server/ids.py makes them
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  const nowS = () => Math.floor(Date.now() / 1000);
  const kit = (await Kept.kit()) || { rooms: [], lists: {}, standard: "", user: "" };
  const rooms = new Map(kit.rooms.map((room) => [room.id, room]));
  let visit = null;

  const mine = (one) => one.user === kit.user;
  // As ids.clean has it: what a person typed as the number that was meant.
  const clean = (typed) => typed.replace(/[-\s]/g, "").replace(/o/g, "0").replace(/[il]/g, "1");
  const make = (id) => by(id).content.firstElementChild.cloneNode(true);
  const items = () => kit.lists[rooms.get(visit.room)?.list || kit.standard] || [];
  const nameOf = (id) => rooms.get(id)?.name || says.unknown.replace("{number}", id);

  function row(href, name, about) {
    const made = make("t-row");
    const link = made.querySelector("a");
    link.textContent = name;
    if (href) {
      link.href = href;
    } else {
      link.removeAttribute("href");
    }
    made.querySelector("p").textContent = about;
    return made;
  }

  function named(word) {
    const words = word.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (room) => words.every((one) => (room.name + " " + room.about + " " + room.id).toLowerCase().includes(one));
    return kit.rooms.filter(fits);
  }

  async function choose(word = "") {
    visit = null;
    by("visit").hidden = true;
    by("choose").hidden = by("about").hidden = false;
    by("title").textContent = document.title.split(" · ")[0];
    const found = named(word);
    const waiting = await Kept.visits();
    const sinceOf = (one) => says.since.replace("{time}", time.format(one.began_s * 1000));
    const stateOf = (one) => (mine(one) ? (one.ended_s ? says.done : says.open) : says.other);
    by("waiting").hidden = !waiting.length;
    by("waiting").querySelector("ul").replaceChildren(
      ...waiting.map((one) => row(mine(one) ? "#" + one.room : "", nameOf(one.room), sinceOf(one) + " · " + stateOf(one))),
    );
    by("rooms").hidden = !found.length;
    by("rooms").querySelector("ul").replaceChildren(...found.slice(0, 100).map((room) => row("#" + room.id, room.name, room.about)));
    by("empty").hidden = kit.rooms.length > 0 || waiting.length > 0;
    by("unknown").hidden = !word || found.length > 0;
  }

  // As services/checklists.py has it: a room whose stalls nobody has counted is answered as a whole.
  function linesAt(stall, stalls) {
    return items().filter((item) => !stalls || (stall ? ["stall", "both"] : ["room", "both"]).includes(item.where));
  }

  function stallsHere() {
    return rooms.has(visit.room) ? rooms.get(visit.room).stalls : visit.stalls || 0;
  }

  // Every change is kept at once. What was done is to be done again.
  async function keep() {
    delete visit.ended_s;
    visit.lens = document.querySelector('[name="lens"]:checked')?.value || "";
    visit.lens_note = by("lens-note").value.trim();
    visit.note = by("note").value.trim();
    await Kept.keepVisit(visit);
    warn();
  }

  function warn() {
    const answered = Object.values(visit.answers).flatMap((given) => Object.values(given));
    by("scene").hidden = visit.lens !== "suspicious" && !answered.some(([word]) => word === "suspicious");
  }

  function drawPart(stall, stalls) {
    const part = make("t-part");
    const [name, count] = part.querySelectorAll("summary span");
    name.textContent = stall ? name.dataset.stall + " " + stall : name.dataset.room;
    const lines = linesAt(stall, stalls);
    const given = () => visit.answers[stall] || {};
    const show = () => {
      count.textContent = lines.filter((line) => given()[line.key]).length + " / " + lines.length;
    };
    for (const line of lines) {
      const item = make("t-item");
      item.querySelector("legend").textContent = line.text;
      const note = item.querySelector(".check-note input");
      const [word, words] = given()[line.key] || ["", ""];
      note.value = words;
      const radios = [...item.querySelectorAll('[type="radio"]')];
      for (const radio of radios) {
        radio.name = "answer-" + stall + "-" + line.key;
        radio.checked = radio.value === word;
      }
      item.addEventListener("input", async () => {
        const chosen = radios.find((radio) => radio.checked);
        if (chosen) {
          (visit.answers[stall] ??= {})[line.key] = [chosen.value, note.value.trim()];
        }
        await keep();
        show(); // what is counted is kept
      });
      part.querySelector("ul").append(item);
    }
    part.querySelector("[data-rest]").addEventListener("change", async (event) => {
      event.stopPropagation();
      if (event.target.checked) {
        for (const line of lines) {
          (visit.answers[stall] ??= {})[line.key] ??= ["ok", ""];
          const chosen = part.querySelector(`[name="answer-${stall}-${line.key}"][value="${visit.answers[stall][line.key][0]}"]`);
          chosen.checked = true;
        }
        await keep();
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
    by("parts").replaceChildren(...parts);
  }

  async function enter(id) {
    // Kept from the first press on: a page that was only looked at is no visit.
    const fresh = { key: Kept.key(), user: kit.user, room: id, began_s: nowS(), answers: {} };
    visit = (await Kept.visits()).find((one) => one.room === id && mine(one)) || fresh;
    by("choose").hidden = by("about").hidden = true;
    by("title").textContent = nameOf(id);
    by("stalls-field").hidden = rooms.has(id);
    by("stalls").value = visit.stalls || 0;
    by("lens-note").value = visit.lens_note || "";
    by("note").value = visit.note || "";
    for (const radio of document.querySelectorAll('[name="lens"]')) {
      radio.checked = radio.value === visit.lens;
    }
    drawParts();
    by("reasons").hidden = true;
    by("visit").hidden = false;
    warn();
    by("main").focus();
    scrollTo(0, 0);
  }

  function lacksWords() {
    const bare = ([word, words]) => word !== "ok" && !words;
    const answered = Object.values(visit.answers).flatMap((given) => Object.values(given));
    return answered.some(bare) || (["suspicious", "not_done"].includes(visit.lens) && !visit.lens_note);
  }

  // The address is that of this page from then on: opening it again at a door's would begin a visit there.
  function leave() {
    history.replaceState(null, "", says.shell);
    choose();
  }

  function route() {
    const asked = location.hash.slice(1);
    if (NUMBER.test(asked) && kit.user) {
      enter(asked);
    } else {
      choose();
    }
  }

  by("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = by("number").value.trim();
    const number = typed.split("/").pop().toLowerCase();
    if (rooms.has(clean(number))) {
      location.hash = clean(number);
    } else if (NUMBER.test(number) && kit.user && !named(typed).length) {
      location.hash = number; // not taken along
    } else {
      choose(typed);
    }
  });
  by("stalls").addEventListener("change", async (event) => {
    event.stopPropagation();
    visit.stalls = Math.max(0, Math.min(60, Number(event.target.value) || 0));
    await keep();
    drawParts();
  });
  for (const id of ["lens-note", "note"]) {
    by(id).addEventListener("input", keep);
  }
  for (const radio of document.querySelectorAll('[name="lens"]')) {
    radio.addEventListener("change", keep);
  }
  by("visit").addEventListener("submit", async (event) => {
    event.preventDefault();
    await keep();
    by("reasons").hidden = !lacksWords();
    if (!lacksWords()) {
      visit.ended_s = nowS();
      await Kept.keepVisit(visit);
      leave();
    }
  });
  by("later").addEventListener("click", leave);
  by("discard").addEventListener("click", async (event) => {
    if (confirm(event.target.dataset.really)) {
      await Kept.dropVisit(visit);
      leave();
    }
  });

  const online = () => {
    by("back").hidden = !navigator.onLine;
  };
  addEventListener("online", online);
  addEventListener("offline", online);
  addEventListener("hashchange", route);
  online();

  // A code on a door leads to /r/<number>: without a network this page is shown at that address.
  const door = location.pathname.match(/^\/(?:r|restrooms|inspect)\/([0-9a-z]+)/);
  if (door) {
    history.replaceState(null, "", says.shell + "#" + door[1]);
  }
  route();
})();
