/* "My work": the user's visits on this device that are not handed over, before and after hand_over.js has tried. */
"use strict";

(() => {
  const section = document.getElementById("waiting-visits");
  const here = document.getElementById("offline");
  if (!section || !here) {
    return;
  }
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });

  function row(visit, name) {
    const item = document.createElement("li");
    const link = item.appendChild(document.createElement("a"));
    link.className = "cover";
    link.href = here.dataset.shell + "#" + visit.room;
    link.textContent = name || visit.room;
    const about = item.appendChild(document.createElement("p"));
    about.className = "small muted";
    const since = section.dataset.since.replace("{time}", time.format(visit.began_s * 1000));
    about.textContent = since + " · " + (visit.ended_s ? section.dataset.done : section.dataset.open);
    return item;
  }

  async function draw() {
    const names = new Map((await OfflineStore.kit())?.rooms.map((room) => [room.id, room.name]));
    const visits = (await OfflineStore.visits()).filter((visit) => visit.user === here.dataset.user);
    section.hidden = !visits.length;
    section.querySelector("ul").replaceChildren(...visits.map((visit) => row(visit, names.get(visit.room))));
  }

  const show = () =>
    draw().catch(() => {
      // Without storage, no visit waits on this device.
    });
  document.addEventListener("visits-handed-over", show);
  show();
})();
