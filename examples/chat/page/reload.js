// Keeps the rooms, drafts and unsent messages of this tab over a reload of the page.

const KEPT = "roomwire-chat-rooms";

export function keepOverReload(rooms) {
  addEventListener("pagehide", () => {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(rooms.remember()));
    } catch {
      // without storage a reload starts afresh
    }
  });
}

export function restoreAfterReload(rooms) {
  try {
    rooms.restore(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"));
  } catch {
    sessionStorage.removeItem(KEPT);
  }
}
