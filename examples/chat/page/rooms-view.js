// The panel of rooms: the server's list, a field to join one by name, and why joining did not work.
import { byId, el, icon, keep, setText } from "./dom.js";

const people = (count) => (count === 1 ? "1 person" : `${count} people`);

function describe({ members, capacity, closed }) {
  if (closed) return "Closed";
  if (capacity === null) return members === 0 ? "Nobody yet" : people(members);
  return members >= capacity ? `Full, ${members} of ${capacity}` : `${members} of ${capacity} places taken`;
}

export function showRooms(rooms, directory, { done }) {
  const [form, field, problemPlace, list, empty, refresh] =
    ["join", "join-room", "join-problem", "rooms", "rooms-empty", "rooms-refresh"].map(byId);

  async function join(id) {
    problemPlace.replaceChildren();
    form.toggleAttribute("data-busy", true);
    try {
      await rooms.join(id);
      field.value = "";
      done();
      return true;
    } catch (problem) {
      problemPlace.replaceChildren(problem.shown({ room: id }));
      return false;
    } finally {
      form.removeAttribute("data-busy");
      directory.refresh();
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const id = field.value.trim();
    if (id === "") {
      problemPlace.replaceChildren(el("p", { class: "problem", text: "Type the name of a room first." }));
      field.focus();
    } else if (!(await join(id))) field.select();
  });
  field.addEventListener("input", () => problemPlace.replaceChildren());
  refresh.addEventListener("click", () => directory.refresh());

  function create({ room }) {
    const button = el(
      "button",
      { type: "button", class: "room", title: room, onclick: () => join(room) },
      el("span", { class: "room-mark", "aria-hidden": "true", text: "#" }),
      el("span", { class: "room-label" }, el("b", { text: room, dir: "auto" }), el("small")),
      el("span", { class: "room-state" }),
    );
    return el("li", {}, button);
  }

  function update(item, entry) {
    const button = item.firstElementChild;
    const room = rooms.get(entry.room);
    const isIn = room !== undefined;
    // In our own rooms we hear of everybody who comes and goes, which is newer than the server's list.
    const members = room?.standing === "in" ? rooms.people(room).length : entry.members;
    const isFull = entry.capacity !== null && members >= entry.capacity;
    button.dataset.kind = entry.closed ? "closed" : isFull ? "full" : "open";
    setText(button.querySelector("small"), describe({ ...entry, members }));
    const state = button.querySelector(".room-state");
    const wanted = isIn ? "in" : entry.closed ? "closed" : "";
    if (state.dataset.shows === wanted) return;
    state.dataset.shows = wanted;
    if (wanted === "in") state.replaceChildren(el("span", { class: "pill", text: "Joined" }));
    else state.replaceChildren(...(wanted === "closed" ? [icon("lock")] : []));
  }

  function render() {
    keep(list, directory.rooms, ({ room }) => room, create, update);
    empty.hidden = !directory.known || directory.rooms.length > 0;
  }

  directory.addEventListener("change", render);
  rooms.addEventListener("change", ({ detail }) => {
    if (detail.what !== "rooms" && detail.what !== "members") return;
    render();
    directory.refreshSoon();
  });
  render();
}
