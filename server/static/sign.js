/*
 * Signing by drawing: the strokes go into the form as numbers in the canvas's units, 0..1000 wide.
 * Without it, people type their name, and the user who is signed in may use the password.
 */
"use strict";

(() => {
  for (const form of document.querySelectorAll("form[data-sign]")) {
    const pad = form.querySelector("canvas");
    const field = form.querySelector('[name="strokes"]');
    const draw = pad.getContext("2d");
    let strokes = [];
    let stroke = null;

    draw.lineWidth = 5;
    draw.lineCap = draw.lineJoin = "round";

    const position = (event) => {
      const box = pad.getBoundingClientRect();
      const scale = (value, size, units) => Math.max(0, Math.min(units, Math.round((value / size) * units)));
      return [
        scale(event.clientX - box.left, box.width, pad.width),
        scale(event.clientY - box.top, box.height, pad.height),
      ];
    };

    pad.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      pad.setPointerCapture(event.pointerId);
      draw.strokeStyle = getComputedStyle(pad).color;
      stroke = position(event);
      strokes.push(stroke);
    });

    pad.addEventListener("pointermove", (event) => {
      if (!stroke) {
        return;
      }
      const [x, y] = position(event);
      const [fromX, fromY] = stroke.slice(-2);
      if (Math.abs(x - fromX) + Math.abs(y - fromY) < 4) {
        return;
      }
      stroke.push(x, y);
      draw.beginPath();
      draw.moveTo(fromX, fromY);
      draw.lineTo(x, y);
      draw.stroke();
    });

    for (const end of ["pointerup", "pointercancel"]) {
      pad.addEventListener(end, () => {
        stroke = null;
      });
    }

    form.querySelector("[data-clear]").addEventListener("click", () => {
      strokes = [];
      draw.clearRect(0, 0, pad.width, pad.height);
    });

    form.addEventListener("submit", () => {
      field.value = JSON.stringify(strokes);
    });
  }
})();
