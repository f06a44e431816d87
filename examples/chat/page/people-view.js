// Who is in the room that is shown: the list beside the conversation and the counts that stand for it.
import { byId, el, keep, setText } from "./dom.js";
import { wear } from "./person.js";

const create = () =>
  el("li", { class: "person" }, el("span", { class: "avatar", "aria-hidden": "true" }), el("span", { class: "person-name", dir: "auto" }), el("span", { class: "pill" }));

const headCount = (count) => (count === 0 ? "Nobody is here" : count === 1 ? "Only you are here" : `${count} people are here`);

export function showPeople(rooms, connection) {
  const [list, empty, count, line] = ["people", "people-empty", "people-count", "room-people"].map(byId);

  function update(item, { id, name }) {
    const [avatar, label, you] = item.children;
    wear(avatar, name);
    setText(label, name);
    label.title = name;
    you.hidden = id !== connection.id;
    setText(you, you.hidden ? "" : "You");
  }

  function render() {
    const room = rooms.active;
    const members = rooms
      .people(room)
      .sort((a, b) => (b.id === connection.id) - (a.id === connection.id) || a.name.localeCompare(b.name));
    keep(list, members, ({ id }) => id, create, update);
    list.toggleAttribute("data-stale", room !== null && room.standing !== "in");
    empty.hidden = room !== null;
    setText(count, String(members.length));
    setText(line, room?.standing === "in" ? headCount(members.length) : "");
  }

  rooms.addEventListener("change", ({ detail }) => {
    const { what, room } = detail;
    if (what === "active" || (room === rooms.active && (what === "members" || what === "standing"))) render();
  });
}
