/* Somebody signed out: forget what was taken along, so that nothing more is written down in their name. */
"use strict";

Kept.forgetKit().catch(() => {
  // A browser that keeps nothing has nothing to forget.
});
