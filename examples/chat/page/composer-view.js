// The shown room's head and the field to write in; a draft belongs to its room and is never thrown away.
import { byId, el, setText } from "./dom.js";

const MOST_ROWS = 6;

export function showComposer(rooms, connection, notices) {
  const [nowhere, conversation, title, standing, form, field, label, hint, leave] =
    ["nowhere", "conversation", "room-title", "standing", "composer", "message", "message-label", "composer-hint", "leave"].map(byId);
  let shown = null;

  function grow() {
    field.rows = Math.min(MOST_ROWS, field.value.split("\n").length);
  }

  function renderStanding() {
    const room = rooms.active;
    const isOut = Boolean(room?.problem);
    standing.hidden = !isOut;
    standing.replaceChildren(
      ...(isOut
        ? [room.problem.shown({ room: room.id }), el("button", { type: "button", class: "button", text: "Join again", onclick: () => again(room) })]
        : []),
    );
    renderHint();
  }

  function renderHint() {
    const room = rooms.active;
    const isReady = connection.isOpen && room?.standing === "in";
    const unsent = room?.outbox.filter(({ state }) => state !== "sent" && state !== "sending").length ?? 0;
    hint.dataset.kind = isReady ? "fine" : "waiting";
    if (isReady) setText(hint, "Enter sends, Shift and Enter starts a new line");
    else if (room?.standing === "refused") setText(hint, "You are not in this room. What you send is kept until you are.");
    else if (unsent > 0) setText(hint, unsent === 1 ? "1 message waits for the connection." : `${unsent} messages wait for the connection.`);
    else setText(hint, "No connection. What you send is kept until it is back.");
  }

  async function again(room) {
    try {
      await rooms.join(room.id);
      field.focus();
    } catch {
      // the room says why
    }
  }

  function render() {
    const room = rooms.active;
    nowhere.hidden = room !== null;
    conversation.hidden = room === null;
    if (room !== shown) {
      shown = room;
      field.value = room?.draft ?? "";
      grow();
    }
    if (!room) return;
    setText(title, room.id);
    title.title = room.id;
    setText(label, `Message to ${room.id}`);
    field.placeholder = `Message to ${room.id}`;
    renderStanding();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text !== "" && rooms.active) {
      field.value = "";
      rooms.active.draft = "";
      grow();
      rooms.send(rooms.active, text);
    }
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  field.addEventListener("input", () => {
    if (rooms.active) rooms.active.draft = field.value;
    grow();
  });
  leave.addEventListener("click", async () => {
    const room = rooms.active;
    try {
      await rooms.leave(room);
      (rooms.active ? field : byId("choose")).focus();
    } catch (problem) {
      notices.tell(problem, { room: room.id });
    }
  });
  rooms.addEventListener("change", ({ detail: { room, what } }) => {
    if (what === "active") render();
    else if (room === rooms.active && (what === "standing" || what === "outbox")) renderStanding();
  });
  connection.addEventListener("state", renderHint);
  render();
}
