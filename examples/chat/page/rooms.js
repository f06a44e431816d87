// The rooms this person is in: joining, leaving, coming back to them after a lost connection, and sending.
import { Problem } from "./problem.js";
import { Room } from "./room.js";

// For how long, and how often, a refusal to let us back in is not taken for final.
const PATIENCE_MS = 40_000;
const AGAIN_MS = 2_000;

/** Event: `change`, whose detail is `{room, what}`; `what` is rooms, active, or what `Room` says. */
export class Rooms extends EventTarget {
  active = null;
  #rooms = new Map();
  #connection;
  #nameNow;

  constructor(connection, nameNow) {
    super();
    this.#connection = connection;
    this.#nameNow = nameNow;
    connection.addEventListener("open", () => this.#comeBack());
    connection.addEventListener("state", () => {
      if (!connection.isOpen) for (const room of this.#rooms.values()) room.away();
    });
    connection.on("user-joined", (who) => this.#rooms.get(who?.room)?.came(who, { quietly: this.#isMe(who) }));
    connection.on("user-left", (who) => this.#rooms.get(who?.room)?.went(who, { quietly: this.#isMe(who) }));
    connection.on("new-message", (message) => this.#hear(message));
  }

  /** Those with a tab, in the order they were joined. */
  get all() {
    return [...this.#rooms.values()].filter(({ hasTab }) => hasTab);
  }

  /** The room of that name if it has a tab. */
  get(id) {
    const room = this.#rooms.get(id);
    return room?.hasTab ? room : undefined;
  }

  /** Who is in a room, as `{id, name}`. */
  people(room) {
    const { id: me, formerIds } = this.#connection;
    // After a reconnection the server may still list who we were before, until it notices that we are gone.
    const isGone = (id) => id !== me && formerIds.has(id);
    return [...(room?.members ?? [])].filter(([id]) => !isGone(id)).map(([id, name]) => ({ id, name }));
  }

  #isMe({ userId }) {
    return this.#connection.formerIds.has(userId);
  }

  #tell(room, what) {
    this.dispatchEvent(new CustomEvent("change", { detail: { room, what } }));
  }

  /** Joins and shows a room; throws a `Problem` when the server does not let us in. */
  async join(id) {
    const room = this.#rooms.get(id) ?? this.#add(id);
    if (room.standing !== "in") {
      try {
        await this.#enter(room);
      } catch (problem) {
        if (!room.hasTab) this.#rooms.delete(id);
        throw problem;
      }
    }
    this.show(room);
    return room;
  }

  #add(id) {
    const room = new Room(id);
    room.addEventListener("change", ({ detail }) => this.#tell(room, detail));
    this.#rooms.set(id, room);
    return room;
  }

  async #enter(room) {
    room.asked();
    let answer;
    try {
      answer = await this.#connection.ask("join-room", room.id);
    } catch (problem) {
      if (this.#connection.isOpen) room.refused(problem);
      throw problem;
    }
    if (!this.#rooms.has(room.id)) return;
    room.admitted(answer.members, this.#connection.node);
    this.#tell(room, "rooms");
    this.#flush(room);
  }

  async leave(room) {
    if (room.standing === "in") {
      try {
        await this.#connection.ask("leave-room", room.id);
      } catch (problem) {
        if (problem.code !== "NOT_IN_ROOM" && this.#connection.isOpen) throw problem;
      }
    }
    const place = this.all.indexOf(room);
    this.#rooms.delete(room.id);
    if (this.active === room) this.show(this.all[Math.max(0, place - 1)] ?? null);
    this.#tell(room, "rooms");
  }

  show(room) {
    this.active = room;
    room?.count(0);
    this.#tell(room, "active");
  }

  // After a reconnection the server knows us as somebody new, so every room is joined again.
  #comeBack() {
    const until = Date.now() + PATIENCE_MS;
    for (const room of this.#rooms.values()) if (room.standing !== "in") this.#return(room, until);
  }

  // Until the server notices that who we were is gone, they may hold the last seat.
  async #return(room, until) {
    const { id } = this.#connection;
    try {
      await this.#enter(room);
    } catch (problem) {
      // It is shown in the room itself, with a button to try again.
      if ((problem.code !== "ROOM_FULL" && !problem.passing) || Date.now() > until) return;
      setTimeout(() => {
        const isStillOut = this.#rooms.get(room.id) === room && room.standing === "refused";
        if (isStillOut && this.#connection.isOpen && this.#connection.id === id) this.#return(room, until);
      }, AGAIN_MS);
    }
  }

  #hear(message) {
    const room = this.#rooms.get(message?.room);
    if (!room) return;
    room.heard(message, this.#isMe(message));
    const unseen = room !== this.active || document.hidden;
    if (unseen && !this.#isMe(message)) room.count(room.unread + 1);
  }

  send(room, text) {
    room.queue(text, this.#nameNow());
    this.#flush(room);
  }

  sendAgain(room, item) {
    room.mark(item, "waiting");
    this.#flush(room);
  }

  #flush(room) {
    if (room.standing !== "in" || !this.#connection.isOpen) return;
    for (const item of room.outbox) if (item.state === "waiting") this.#post(room, item);
  }

  async #post(room, item) {
    room.mark(item, "sending");
    try {
      const { timestamp } = await this.#connection.ask("send-message", { room: room.id, message: item.text });
      if (room.outbox.includes(item)) room.mark(item, "sent", { at: new Date(timestamp) });
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem({ code: "INTERNAL", message: error.message });
      if (!room.outbox.includes(item)) return;
      if (problem.code === "OFFLINE") room.mark(item, "waiting");
      else if (problem.code === "CONNECTION_LOST" || problem.code === "TIMEOUT") room.mark(item, "unsure", { problem });
      else room.mark(item, "failed", { problem });
    }
  }

  /** What a reloaded page needs to be where this one was. */
  remember() {
    return this.all.map(({ id, draft, outbox }) => ({
      id,
      draft,
      waiting: outbox.filter(({ state }) => state !== "sent").map(({ text }) => text),
      active: this.active?.id === id,
    }));
  }

  /** Puts remembered rooms back; they are joined when the connection opens. */
  restore(remembered) {
    for (const { id, draft, waiting, active } of remembered) {
      const room = this.#add(id);
      room.hasTab = true;
      room.away();
      room.draft = draft;
      for (const text of waiting) room.queue(text, this.#nameNow());
      if (active) this.show(room);
      this.#tell(room, "rooms");
    }
  }
}
