// One room as this page knows it: who is in it, what was said, and what still waits to be sent.
import { moment } from "./time.js";

const MOST_ENTRIES = 500;

const DEPARTURES = {
  left: "left",
  "disconnected by server": "was disconnected by the server",
  "connection lost": "lost the connection",
  "ping timeout": "lost the connection",
  "node lost": "was on a server that went down",
  "server shutting down": "lost the connection",
};

let lastKey = 0;
const nextKey = () => String((lastKey += 1));

export class Room extends EventTarget {
  // "joining" until the server has let us in, "in", "away" while there is no connection, "refused" after a failed rejoin
  standing = "joining";
  problem = null; // why we were refused, until we are in
  members = new Map(); // userId → name
  entries = [];
  outbox = [];
  unread = 0;
  draft = "";
  hasTab = false; // once we were let in, or were in it before a reload
  #node = null; // which one let us in
  #sinceAsked = []; // comings and goings between asking to join and the answer, which may be older than they are

  constructor(id) {
    super();
    this.id = id;
  }

  #tell(what) {
    this.dispatchEvent(new CustomEvent("change", { detail: what }));
  }

  #stand(standing, problem = null) {
    this.standing = standing;
    this.problem = problem;
    this.#tell("standing");
  }

  asked() {
    this.#sinceAsked = [];
    this.#stand("joining", this.problem);
  }

  admitted(members, node) {
    const back = this.hasTab;
    const moved = this.#node !== null && node !== null && node !== this.#node;
    this.#node = node;
    this.hasTab = true;
    this.members = new Map(members.map(({ userId, name }) => [userId, name]));
    for (const apply of this.#sinceAsked) apply(this.members);
    this.#sinceAsked = [];
    this.#stand("in");
    this.#tell("members");
    this.note(!back ? "You joined." : moved ? `You are back, on ${node}.` : "You are back.");
  }

  refused(problem) {
    this.members.clear();
    this.#stand("refused", problem);
    this.#tell("members");
  }

  /** The connection is gone: what was acknowledged but not heard back is kept as said. */
  away() {
    for (const item of this.outbox.filter(({ state }) => state === "sent")) {
      this.#add({ kind: "message", own: true, name: item.name, text: item.text, at: item.at });
    }
    this.outbox = this.outbox.filter(({ state }) => state !== "sent");
    this.#tell("outbox");
    if (this.standing !== "refused") this.#stand("away");
  }

  came({ userId, name }, { quietly }) {
    this.#move((members) => members.set(userId, name));
    if (!quietly) this.note(`${name} joined.`);
  }

  /** The name may be missing: the server no longer knows somebody whose connection has ended. */
  went({ userId, name: told, reason }, { quietly }) {
    const name = told ?? this.members.get(userId);
    this.#move((members) => members.delete(userId));
    if (!quietly && name !== undefined) this.note(`${name} ${DEPARTURES[reason] ?? "went offline"}.`);
  }

  #move(apply) {
    if (this.standing === "joining") this.#sinceAsked.push(apply);
    apply(this.members);
    this.#tell("members");
  }

  /** A message heard from the server. Our own takes the place of the item in the outbox that it came from. */
  heard({ name, message, timestamp }, own) {
    if (own) {
      const at = this.outbox.findIndex(({ state, text }) => text === message && (state === "sending" || state === "sent"));
      if (at >= 0) this.outbox.splice(at, 1);
      this.#tell("outbox");
    }
    this.#add({ kind: "message", own, name, text: message, at: moment(timestamp) });
  }

  note(text) {
    this.#add({ kind: "note", text, at: new Date() });
  }

  #add(entry) {
    this.entries.push({ key: nextKey(), ...entry });
    if (this.entries.length > MOST_ENTRIES) this.entries.shift();
    this.#tell("entries");
  }

  count(unread) {
    if (this.unread === unread) return;
    this.unread = unread;
    this.#tell("unread");
  }

  /** Puts a text into the outbox; `state` is waiting, sending, sent, unsure or failed. */
  queue(text, name) {
    const item = { key: nextKey(), text, name, state: "waiting", problem: null, at: null };
    this.outbox.push(item);
    this.#tell("outbox");
    return item;
  }

  mark(item, state, more = {}) {
    Object.assign(item, { state, problem: null }, more);
    this.#tell("outbox");
  }

  discard(item) {
    this.outbox = this.outbox.filter((other) => other !== item);
    this.#tell("outbox");
  }
}
