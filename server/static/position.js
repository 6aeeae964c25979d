/*
 * "Where I am": a button with data-here fills the fields it names ("id" gets both numbers, "id,id" one each).
 * Devices without a position do not show the button. The position goes only into the form.
 */
"use strict";

(() => {
  if (!navigator.geolocation || !window.isSecureContext) {
    return;
  }
  for (const button of document.querySelectorAll("[data-here]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.disabled = true;
      navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          const both = [coords.latitude.toFixed(6), coords.longitude.toFixed(6)];
          const fields = button.dataset.here.split(",").map((id) => document.getElementById(id));
          fields.forEach((field, place) => {
            field.value = fields.length > 1 ? both[place] : both.join(",");
          });
          button.disabled = false;
          const form = button.closest("form");
          if (form.method === "get") {
            form.submit();
          }
        },
        () => {
          button.disabled = false;
          button.textContent = button.dataset.denied;
        },
        { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 },
      );
    });
  }
})();
