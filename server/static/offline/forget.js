/* After signing out: delete the kit, so that nothing more is recorded in this user's name. */
"use strict";

OfflineStore.deleteKit().catch(() => {
  // A browser without storage has nothing to delete.
});
