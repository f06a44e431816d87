// On narrow screens the rooms and the people are panels that slide over the conversation, one at a time.
import { byId } from "./dom.js";

export function showPanels() {
  const veil = byId("veil");
  const rest = byId("main");
  const openers = new Map([
    [byId("open-rooms"), byId("rooms-panel")],
    [byId("open-people"), byId("people-panel")],
  ]);

  function close({ focusBack = true } = {}) {
    const open = document.querySelector(".panel[data-open]");
    if (!open) return;
    open.removeAttribute("data-open");
    veil.hidden = true;
    rest.inert = false;
    for (const [opener, panel] of openers) {
      opener.setAttribute("aria-expanded", "false");
      if (panel === open && focusBack) opener.focus();
    }
  }

  function open(opener, focusOn) {
    close({ focusBack: false });
    const panel = openers.get(opener);
    panel.setAttribute("data-open", "");
    opener.setAttribute("aria-expanded", "true");
    veil.hidden = false;
    rest.inert = true;
    (focusOn ?? panel.querySelector("[data-close-panel]")).focus();
  }

  for (const opener of openers.keys()) opener.addEventListener("click", () => open(opener));
  for (const closer of document.querySelectorAll("[data-close-panel]")) closer.addEventListener("click", () => close());
  veil.addEventListener("click", () => close());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  // A panel that became a column of the page must not keep the rest inert.
  for (const query of ["(min-width: 44rem)", "(min-width: 66rem)"]) {
    matchMedia(query).addEventListener("change", () => close({ focusBack: false }));
  }

  byId("choose").addEventListener("click", () => {
    const opener = byId("open-rooms");
    if (opener.checkVisibility()) open(opener, byId("join-room"));
    else byId("join-room").focus();
  });
  return { close };
}
