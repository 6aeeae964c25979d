/*
 * The code of an invitation is behind the # of its link, which browsers never send, so that no server logs it.
 * This copies it into its field and removes it from the address.
 */
"use strict";

(() => {
  const field = document.getElementById("code");
  const code = window.location.hash.slice(1);
  if (field && /^[0-9a-z]{10,60}$/i.test(code)) {
    field.value = code;
    window.history.replaceState(null, "", window.location.pathname);
  }
})();
