/*
 * The code of an invitation stands behind the # of its link, which browsers send to no server and
 * so no log has it. This puts it into its field and takes it out of the address.
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
