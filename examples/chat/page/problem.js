// What went wrong, as a sentence a person would want to read; the code stays beside it in small print.
import { el } from "./dom.js";

const inRoom = (room) => (room ? `“${room}”` : "this room");
const theRoom = (room) => (room ? `The room “${room}”` : "This room");

function shortWait(milliseconds) {
  const seconds = Math.ceil((milliseconds ?? 1000) / 1000);
  return seconds <= 1 ? "in a second" : `in ${seconds} seconds`;
}

/** One sentence or two per code. `about` may name the room. */
export const SENTENCES = {
  ROOM_FULL: ({ room }) => `${theRoom(room)} is full. Try another room or come back later.`,
  ROOM_CLOSED: ({ room }) => `${theRoom(room)} is closed. Choose another room.`,
  ROOM_NOT_FOUND: ({ room }) => `${theRoom(room)} does not exist any more.`,
  NOT_IN_ROOM: ({ room }) => `You are not in ${inRoom(room)} any more. Join it again to go on talking.`,
  CLIENT_NOT_FOUND: () => "That person has gone offline.",
  NODE_NOT_FOUND: () => "This server is not there any more.",
  MAX_CONNECTIONS: () => "The chat has as many visitors as it can take. A place may be free in a moment.",
  UNAUTHORIZED: () => "The server does not know who you are. Reload the page and sign in again.",
  FORBIDDEN: ({ room }) => (room ? `You are not allowed to do that in “${room}”.` : "You are not allowed to do that."),
  TOKEN_EXPIRED: () => "Your sign-in has run out. Reload the page and sign in again.",
  INVALID_PAYLOAD: ({ field }) => (field ? `The server could not use the ${field} as it was sent.` : "The server could not read what was sent."),
  INVALID_NAME: ({ room }) =>
    room ? "That cannot be the name of a room. Use one short line, at most 128 letters." : "That name cannot be used. Use one short line.",
  UNKNOWN_EVENT: () => "The server does not offer this. Reload the page: it may be out of date.",
  RATE_LIMITED: ({ retryAfterMs }) => `That was a lot at once. Try again ${shortWait(retryAfterMs)}.`,
  SUPERSEDED: () => "Something newer took its place.",
  LIMIT_EXCEEDED: () => "You have reached a limit of this chat. Leave a room you no longer need and try again.",
  PAYLOAD_TOO_LARGE: () => "The message is too long. Send it in smaller parts.",
  STATE_UNAVAILABLE: () => "The server cannot reach its records at the moment. Try again shortly.",
  STATE_REFUSED: () => "The server cannot use its records at the moment. Try again shortly.",
  TIMEOUT: () => "The server took too long to answer. Try again.",
  SHUTTING_DOWN: () => "The server is restarting. The chat comes back by itself in a moment.",
  INTERNAL: () => "Something went wrong on the server. If it happens again, tell the people who run it.",
  OFFLINE: () => "There is no connection at the moment. Try again when it is back.",
  CONNECTION_LOST: () => "The connection was lost before the server could confirm this.",
};

const PASSING = new Set(["MAX_CONNECTIONS", "RATE_LIMITED", "STATE_UNAVAILABLE", "STATE_REFUSED", "TIMEOUT", "SHUTTING_DOWN"]);

export class Problem extends Error {
  /** `answer` is `{code, message, field?, retryAfterMs?}` as the server sends it. */
  constructor(answer) {
    super(answer.message ?? answer.code);
    this.code = answer.code ?? "INTERNAL";
    this.field = answer.field;
    this.retryAfterMs = answer.retryAfterMs;
  }

  /** A refusal to connect: the code is in the data where the server can send data, else it leads the message. */
  static fromRefusal(error) {
    const led = /^([A-Z]+(?:_[A-Z]+)*)\b/.exec(error.message ?? "")?.[1];
    const code = error.data?.code ?? (led in SENTENCES ? led : undefined);
    return new Problem({ ...error.data, code: code ?? "REFUSED", message: error.message });
  }

  /** What an HTTP answer said when the server turned the handshake away, or null when it said nothing we know. */
  static fromHandshake(error) {
    try {
      const answer = JSON.parse(error.context.responseText);
      const { code, message, retryAfterMs } = answer.error ?? answer;
      return code in SENTENCES ? new Problem({ code, message, retryAfterMs }) : null;
    } catch {
      return null;
    }
  }

  /** Whether the same attempt may succeed a little later. */
  get passing() {
    return PASSING.has(this.code);
  }

  sentence(about = {}) {
    const say = SENTENCES[this.code];
    return say ? say({ ...about, field: this.field, retryAfterMs: this.retryAfterMs }) : `That did not work: ${this.message}`;
  }

  /** The sentence with its code, as an element. */
  shown(about = {}) {
    return el(
      "p",
      { class: "problem", title: `${this.code}: ${this.message}`, "data-code": this.code },
      el("span", { text: this.sentence(about) }),
      " ",
      el("small", { class: "code", text: this.code }),
    );
  }
}
