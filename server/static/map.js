/*
 * The map of restrooms: after each move it fetches the restrooms in view, draws and lists them.
 * Texts come from the server and are inserted as text, never as markup.
 */
"use strict";

(() => {
  const element = document.getElementById("map");
  const sentence = document.getElementById("map-sentence");
  const list = document.getElementById("map-list");
  const LIST_MOST = 60;
  const { places, tiles, credit, lost } = element.dataset;
  const [south, west, north, east] = element.dataset.box.split(",").map(Number);

  const map = L.map(element, { zoomControl: false, attributionControl: Boolean(tiles), maxZoom: 19, worldCopyJump: true });
  L.control.zoom({ zoomInTitle: element.dataset.in, zoomOutTitle: element.dataset.out }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  if (tiles) {
    const plain = document.createElement("i");
    plain.textContent = credit;
    map.attributionControl.setPrefix(false);
    L.tileLayer(tiles, { attribution: plain.innerHTML, maxZoom: 19 }).addTo(map);
  }
  const marks = L.layerGroup().addTo(map);
  const signs = { findings: "!", overdue: "–", fine: "" };
  let pending = null;

  function node(name, className, text) {
    const created = document.createElement(name);
    created.className = className;
    created.textContent = text;
    return created;
  }

  function mark(at, state, text, says, wide) {
    const size = wide ? 28 + 6 * text.length : 28;
    const icon = L.divIcon({
      className: "map-mark map-" + state + (wide ? " map-group" : ""),
      html: node("span", "", text),
      iconSize: [size, size],
    });
    return L.marker(at, { icon, title: says, alt: says, keyboard: true }).addTo(marks);
  }

  function row(room) {
    const item = document.createElement("li");
    const link = node("a", "cover", room.name);
    link.href = room.href;
    const about = node("p", "small muted", room.about + " · ");
    about.append(node("span", "map-says-" + room.state, room.says));
    item.append(link, about);
    return item;
  }

  function draw(found) {
    marks.clearLayers();
    sentence.textContent = found.sentence;
    for (const group of found.groups) {
      const [low, left, high, right] = group.box;
      mark(group.at, group.state, String(group.rooms), group.says, true).on("click keypress", () =>
        map.fitBounds([[low, left], [high, right]], { padding: [30, 30], maxZoom: map.getZoom() + 4 }),
      );
    }
    for (const spot of found.spots) {
      const names = spot.rooms.map((room) => room.name + ": " + room.says).join("\n");
      const rows = node("ul", "rows map-popup", "");
      rows.append(...spot.rooms.map(row));
      mark(spot.at, spot.state, signs[spot.state], names, false).bindPopup(rows, { minWidth: 220, maxHeight: 260 });
    }
    const rooms = found.spots.flatMap((spot) => spot.rooms);
    list.hidden = rooms.length === 0;
    list.querySelector("ul").replaceChildren(...rooms.slice(0, LIST_MOST).map(row));
  }

  async function show() {
    pending?.abort();
    pending = new AbortController();
    const view = map.getBounds();
    const box = [view.getSouth(), view.getWest(), view.getNorth(), view.getEast()];
    const clamped = box.map((degrees, place) => Math.max(place % 2 ? -360 : -90, Math.min(place % 2 ? 360 : 90, degrees)));
    try {
      const answer = await fetch(places + "?box=" + clamped.join(","), { signal: pending.signal, credentials: "same-origin" });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      draw(await answer.json());
    } catch (problem) {
      if (problem.name !== "AbortError") {
        sentence.textContent = lost;
      }
    }
  }

  map.on("moveend", () => {
    // An open popup moves the map to fit in; redrawing would close it.
    if (!document.querySelector(".leaflet-popup")) {
      show();
    }
  });
  map.on("popupclose", show);
  map.fitBounds([[south, west], [north, east]], { padding: [40, 40], maxZoom: 16 });
})();
