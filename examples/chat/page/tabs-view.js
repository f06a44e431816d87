// One tab for each room this person is in, with the number of messages not seen yet.
import { byId, el, keep, setText } from "./dom.js";

function create(room) {
  const button = el(
    "button",
    { type: "button", class: "tab", title: room.id },
    el("span", { class: "tab-name", text: room.id, dir: "auto" }),
    el("span", { class: "badge", hidden: true }),
  );
  return el("li", {}, button);
}

export function showTabs(rooms) {
  const list = byId("tabs").firstElementChild;
  const pageTitle = document.title;

  function update(item, room) {
    const [button] = item.children;
    const badge = button.lastElementChild;
    button.onclick = () => rooms.show(room);
    if (rooms.active === room) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    badge.hidden = room.unread === 0;
    setText(badge, room.unread > 99 ? "99+" : String(room.unread));
    badge.setAttribute("aria-label", room.unread === 1 ? "1 unread message" : `${room.unread} unread messages`);
    badge.setAttribute("role", "img");
    button.dataset.standing = room.standing;
  }

  function render(what) {
    const all = rooms.all;
    keep(list, all, ({ id }) => id, create, update);
    const unread = all.reduce((sum, room) => sum + room.unread, 0);
    const place = rooms.active ? `${rooms.active.id} · ${pageTitle}` : pageTitle;
    document.title = unread > 0 ? `(${unread}) ${place}` : place;
    if (what === "active") list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  rooms.addEventListener("change", ({ detail }) => {
    if (detail.what !== "entries" && detail.what !== "members") render(detail.what);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) rooms.active?.count(0);
  });
}
