/*
 * Follow the signal: polls the levels of a transmitter and shows them as number, bar, shape, curve, sound and vibration.
 * A level stays on the screen with its age; a gap in the curve means that nothing was heard.
 */
"use strict";

(() => {
  const view = document.getElementById("follow");
  if (!view) {
    return;
  }
  const SPAN_MS = 60000;
  const GAP_MS = 2500; // readings come twice a second
  const [STRONG_DBM, WEAK_DBM] = [-25, -95];
  const words = JSON.parse(view.dataset.words);
  const part = (id) => document.getElementById(id);
  let points = [];
  let since = 0;
  let skewMs = 0;
  let trend = "none";

  const nowMs = () => Date.now() + skewMs;
  const share = (dbm) => Math.min(1, Math.max(0, (dbm - WEAK_DBM) / (STRONG_DBM - WEAK_DBM)));

  async function poll() {
    try {
      const answer = await fetch(`${view.dataset.live}?since=${since}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const news = await answer.json();
      skewMs = news.now_ms - Date.now();
      for (const point of news.points) {
        points.push({ at: point[0], smoothed: point[2], trend: point[4] });
        since = Math.max(since, point[0]);
      }
      part("command").textContent = news.command ? `${news.command.sensor}: ${news.command.text}` : "";
    } catch {
      part("command").textContent = words.offline;
    }
    window.setTimeout(poll, Number(view.dataset.poll));
  }

  function draw() {
    const now = nowMs();
    points = points.filter((point) => now - point.at < SPAN_MS).sort((first, second) => first.at - second.at);
    const heard = points.filter((point) => point.trend !== "lost");
    const last = heard[heard.length - 1];
    const newest = points[points.length - 1];
    const silent = !last || (newest && newest.trend === "lost");
    setTrend(last ? (silent || now - last.at > 3 * GAP_MS ? "lost" : last.trend) : "none");
    part("level").textContent = last ? String(last.smoothed).replace("-", "\u2212") : "–";
    part("meter").value = last && !silent ? last.smoothed : WEAK_DBM;
    part("last").textContent = last
      ? words.last.replace("%(seconds)s", String(Math.max(0, Math.round((now - last.at) / 1000))))
      : "";
    drawCurve(heard, now);
    drawTable(heard, now);
  }

  function setTrend(value) {
    if (value !== trend) {
      trend = value;
      view.dataset.trend = value;
      part("trend").textContent = words[value];
    }
  }

  function drawCurve(heard, now) {
    let path = "";
    let before = null;
    for (const point of heard) {
      const x = 600 * (1 - (now - point.at) / SPAN_MS);
      const y = 135 - 130 * share(point.smoothed);
      path += `${before && point.at - before <= GAP_MS ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      before = point.at;
    }
    let line = part("curve").querySelector("path");
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      part("curve").append(line);
    }
    line.setAttribute("d", path);
  }

  function drawTable(heard, now) {
    const rows = [];
    for (let ago = 0; ago < SPAN_MS; ago += 5000) {
      const within = heard.filter((point) => now - point.at >= ago && now - point.at < ago + 5000);
      const row = document.createElement("tr");
      const level = within.length ? Math.max(...within.map((point) => point.smoothed)) : "–";
      for (const text of [`${ago / 1000}–${ago / 1000 + 5}`, String(level)]) {
        const cell = document.createElement("td");
        cell.textContent = text;
        row.append(cell);
      }
      rows.push(row);
    }
    part("levels").replaceChildren(...rows);
  }

  // Sound and vibration: the nearer, the faster and higher.
  let audio = null;
  function signal() {
    const last = points.length ? points[points.length - 1] : null;
    const nearness = last && trend !== "lost" && trend !== "none" ? share(last.smoothed) : null;
    if (nearness !== null && part("sound").checked) {
      audio = audio || new AudioContext();
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = 300 + 1200 * nearness;
      volume.gain.value = 0.15;
      tone.connect(volume).connect(audio.destination);
      tone.start();
      tone.stop(audio.currentTime + 0.08);
    }
    if (nearness !== null && part("vibration").checked && navigator.vibrate) {
      navigator.vibrate(60);
    }
    window.setTimeout(signal, nearness === null ? 1000 : 1100 - 950 * nearness);
  }

  poll();
  window.setInterval(draw, 250);
  signal();
})();
