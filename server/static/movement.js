/*
 * The movement test: says "move" and "stand still" in the sensor's slots, then shows the result.
 * The slots count from the sensor's acknowledgement; the server says how long ago that was.
 */
"use strict";

(() => {
  const view = document.getElementById("movement");
  if (!view) {
    return;
  }
  const words = JSON.parse(view.dataset.words);
  const part = (id) => document.getElementById(id);
  let slots = [];
  let began = null; // in performance.now()
  let act = "none";

  async function poll() {
    let again = Number(view.dataset.poll);
    try {
      const answer = await fetch(view.dataset.live, { headers: { Accept: "application/json" } });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const news = await answer.json();
      slots = news.slots;
      const start = news.elapsed_ms === null ? null : performance.now() - news.elapsed_ms;
      // The earliest estimate is the best one: an answer that took long makes the start look late.
      began = start === null ? null : began === null || start < began ? start : began;
      part("command").textContent = news.command && !news.result ? `${news.command.sensor}: ${news.command.text}` : "";
      part("result").textContent = news.result || "";
      again = news.result ? 10000 : again;
    } catch {
      part("command").textContent = words.offline;
    }
    window.setTimeout(poll, again);
  }

  function draw() {
    if (began === null || !slots.length) {
      return;
    }
    const elapsed = performance.now() - began;
    const end = slots[slots.length - 1][0] + slots[slots.length - 1][1];
    part("progress").value = Math.min(1, elapsed / end);
    const slot = slots.find(([start, length]) => elapsed >= start && elapsed < start + length);
    if (slot) {
      setAct(slot[2] ? "move" : "still");
      const left = Math.ceil((slot[0] + slot[1] - elapsed) / 1000);
      part("left").textContent = words.next.replace("%(seconds)s", String(left));
    } else {
      setAct(elapsed < slots[0][0] ? "ready" : part("result").textContent ? "done" : "wait");
      part("left").textContent = "";
    }
  }

  function setAct(value) {
    if (value === act) {
      return;
    }
    act = value;
    view.dataset.act = value;
    const word = words[value] || "";
    part("act").textContent = word;
    if (value !== "move" && value !== "still") {
      return;
    }
    if (part("speech").checked && window.speechSynthesis) {
      window.speechSynthesis.cancel();
      const sentence = new SpeechSynthesisUtterance(word);
      sentence.lang = document.documentElement.lang;
      window.speechSynthesis.speak(sentence);
    }
    if (part("vibration").checked && navigator.vibrate) {
      navigator.vibrate(value === "move" ? [200, 80, 200] : 500);
    }
  }

  poll();
  window.setInterval(draw, 100);
})();
