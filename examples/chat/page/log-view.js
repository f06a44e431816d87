// The conversation of each room: what was said, day by day, and below it what has not been sent yet.
import { byId, el, keep, setText } from "./dom.js";
import { wear } from "./person.js";
import { clock, dayName, inFull, sameDay } from "./time.js";

const TOGETHER_MS = 5 * 60_000;
const NEAR_END_PX = 80;

const OUTBOX_WORDS = {
  waiting: () => "Not sent yet. It goes out when the connection is back.",
  sending: () => "Sending…",
  sent: ({ at }) => clock(at),
  unsure: ({ problem }) => `${problem.sentence()} It may not have arrived.`,
  failed: ({ problem }, room) => `Not sent. ${problem.sentence({ room: room.id })}`,
};

function message(entry, follows) {
  const avatar = el("span", { class: "avatar", "aria-hidden": "true" });
  wear(avatar, entry.name);
  const time = el("time", { datetime: entry.at.toISOString(), title: inFull(entry.at), text: clock(entry.at) });
  const by = el("p", { class: "by" }, el("b", { text: entry.own ? "You" : entry.name, dir: "auto" }), " ", time);
  const text = el("p", { class: "text", text: entry.text, dir: "auto", title: inFull(entry.at) });
  const kind = `message${entry.own ? " own" : ""}${follows ? " follows" : ""}`;
  return el("div", { class: kind }, avatar, el("div", { class: "bubble" }, by, text));
}

/** One room's log. Entries are only ever appended, so that a screen reader hears each of them once. */
class Log {
  #room;
  #last = null;
  #seen = 0;

  constructor(room, { again, discard }) {
    this.#room = room;
    this.entries = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": `Messages in ${room.id}` });
    this.outbox = el("ul", { class: "outbox", "aria-label": "Messages not sent yet" });
    this.node = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Conversation in ${room.id}` }, this.entries, this.outbox);
    this.again = again;
    this.discard = discard;
  }

  get atEnd() {
    return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.node.scrollTop = this.node.scrollHeight;
  }

  append() {
    const fresh = this.#room.entries.filter(({ key }) => Number(key) > this.#seen);
    for (const entry of fresh) {
      this.#seen = Number(entry.key);
      if (!this.#last || !sameDay(this.#last.at, entry.at)) {
        this.entries.append(el("p", { class: "day" }, el("span", { text: dayName(entry.at) })));
      }
      const follows =
        entry.kind === "message" && this.#last?.kind === "message" && this.#last.own === entry.own &&
        this.#last.name === entry.name && entry.at - this.#last.at < TOGETHER_MS && sameDay(this.#last.at, entry.at);
      this.entries.append(entry.kind === "message" ? message(entry, follows) : el("p", { class: "note", text: entry.text }));
      this.#last = entry;
    }
    // Days and notes are lines too: this keeps the page small without counting each kind.
    while (this.entries.childElementCount > 700) this.entries.firstElementChild.remove();
    return fresh;
  }

  showOutbox() {
    keep(this.outbox, this.#room.outbox, ({ key }) => key, (item) => this.#unsent(item), (node, item) => {
      node.dataset.state = item.state;
      node.title = item.problem?.code ?? "";
      setText(node.querySelector(".outbox-state"), OUTBOX_WORDS[item.state](item, this.#room));
      node.querySelector(".outbox-actions").hidden = item.state !== "failed" && item.state !== "unsure";
    });
  }

  #unsent(item) {
    const actions = el(
      "span",
      { class: "outbox-actions" },
      el("button", { type: "button", class: "button button-quiet", text: "Send again", onclick: () => this.again(item) }),
      el("button", { type: "button", class: "button button-quiet", text: "Discard", onclick: () => this.discard(item) }),
    );
    const state = el("p", { class: "outbox-line", "aria-live": "polite" }, el("span", { class: "outbox-state" }), actions);
    return el("li", { class: "message own" }, el("div", { class: "bubble" }, el("p", { class: "text", text: item.text, dir: "auto" })), state);
  }
}

export function showLogs(rooms) {
  const [place, newest] = ["logs", "newest"].map(byId);
  const logs = new Map(); // Room → Log

  function logOf(room) {
    if (!logs.has(room)) {
      const log = new Log(room, { again: (item) => rooms.sendAgain(room, item), discard: (item) => room.discard(item) });
      log.node.hidden = true;
      log.node.addEventListener("scroll", () => {
        if (room === rooms.active && log.atEnd) newest.hidden = true;
      });
      place.append(log.node);
      logs.set(room, log);
    }
    return logs.get(room);
  }

  function changed(room, what) {
    const log = logOf(room);
    const wasAtEnd = log.atEnd;
    const fresh = what === "entries" ? log.append() : [];
    if (what === "outbox") log.showOutbox();
    const mine = fresh.some(({ own }) => own) || what === "outbox";
    if (wasAtEnd || mine) log.toEnd();
    else if (room === rooms.active && fresh.some(({ kind }) => kind === "message")) newest.hidden = false;
  }

  function showActive() {
    newest.hidden = true;
    for (const [room, log] of logs) {
      if (!rooms.all.includes(room)) {
        log.node.remove();
        logs.delete(room);
      } else log.node.hidden = room !== rooms.active;
    }
    if (rooms.active) logOf(rooms.active).toEnd();
  }

  newest.addEventListener("click", () => {
    const log = logOf(rooms.active);
    log.toEnd();
    log.node.focus();
  });
  rooms.addEventListener("change", ({ detail: { room, what } }) => {
    if (what === "entries" || what === "outbox") changed(room, what);
    else if (what === "active" || what === "rooms") showActive();
  });
}
