// The connection to the server: what state it is in, and questions that expect an answer.
import { io } from "./vendor/socket.io.esm.min.js";
import { Problem } from "./problem.js";

const ANSWER_MS = 10_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 5_000;

// "?transport=polling" or "?transport=websocket" in the page's address shows the chat over that one alone.
function chosenTransports() {
  const chosen = new URLSearchParams(location.search).get("transport");
  return ["polling", "websocket"].includes(chosen) ? [chosen] : ["polling", "websocket"];
}

/**
 * Events: `state` when `state` or `node` changed, `open` on every connection that stands, also after a reconnection.
 * `state.kind` is connecting, connected (with `transport`), reconnecting (with `attempt`) or disconnected;
 * the last two may carry `problem` or `reason`.
 */
export class Connection extends EventTarget {
  state = { kind: "connecting" };
  formerIds = new Set();
  node = null; // the name of the server's process, when it has one: known from a moment after `open`
  #socket;
  #name = "";
  #lastId;
  #retry;
  #refusals = 0;
  #leaving = false;
  #restarting = false;

  constructor() {
    super();
    this.#socket = io({
      autoConnect: false,
      transports: chosenTransports(),
      reconnectionDelay: FIRST_DELAY_MS,
      reconnectionDelayMax: LONGEST_DELAY_MS,
      auth: (send) => send({ name: this.#name }),
    });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", (reason) => this.#disconnected(reason));
    this.#socket.on("connect_error", (error) => this.#refused(error));
    this.#socket.on("welcome", ({ node }) => {
      this.node = node;
      this.#become(this.state);
    });
    this.#socket.on("error", (answer) => {
      if (answer?.code === "SHUTTING_DOWN") this.#restarting = true;
    });
    this.#socket.io.on("reconnect_attempt", (attempt) => this.#become({ kind: "reconnecting", attempt }));
  }

  /** Who we are to the server; while there is no connection, who we were last. */
  get id() {
    return this.#socket.id ?? this.#lastId;
  }

  get isOpen() {
    return this.#socket.connected;
  }

  on(event, listener) {
    this.#socket.on(event, listener);
  }

  /** Connects under this name, or connects anew when the name was another one. */
  open(name) {
    this.#name = name;
    clearTimeout(this.#retry);
    if (this.#socket.connected) {
      this.#leaving = true;
      this.#socket.disconnect();
      this.#leaving = false;
    }
    this.#become({ kind: "connecting" });
    this.#socket.connect();
  }

  again() {
    this.#refusals = 0;
    this.open(this.#name);
  }

  /** Sends an event and returns its acknowledgement; throws a `Problem` for an error or when none came. */
  async ask(event, ...values) {
    if (!this.#socket.connected) throw new Problem({ code: "OFFLINE" });
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_MS).emitWithAck(event, ...values);
    } catch {
      throw new Problem({ code: this.#socket.connected ? "TIMEOUT" : "CONNECTION_LOST" });
    }
    if (answer?.error) throw new Problem(answer.error);
    return answer;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #connected() {
    this.#refusals = 0;
    this.#restarting = false;
    this.node = null;
    this.#lastId = this.#socket.id;
    this.formerIds.add(this.#socket.id);
    const { engine } = this.#socket.io;
    this.#become({ kind: "connected", transport: engine.transport.name });
    engine.once("upgrade", (transport) => {
      if (this.#socket.connected) this.#become({ kind: "connected", transport: transport.name });
    });
    this.dispatchEvent(new Event("open"));
  }

  #disconnected(reason) {
    if (this.#leaving) return;
    if (this.#socket.active) this.#become({ kind: "reconnecting", attempt: 0, reason });
    else if (this.#restarting) this.#tryLater(new Problem({ code: "SHUTTING_DOWN" }));
    else this.#become({ kind: "disconnected", reason });
  }

  // While the socket is active the client library tries again by itself. It does not after a refusal by the server,
  // so a refusal that may pass is retried here, with the same delays.
  #refused(error) {
    if (this.#socket.active) {
      const told = Problem.fromHandshake(error);
      if (told) this.#become({ kind: "reconnecting", attempt: this.state.attempt ?? 0, problem: told });
      return;
    }
    const problem = Problem.fromRefusal(error);
    if (problem.passing) this.#tryLater(problem);
    else this.#become({ kind: "disconnected", problem });
  }

  #tryLater(problem) {
    this.#refusals += 1;
    const delay = problem.retryAfterMs ?? Math.min(FIRST_DELAY_MS * 2 ** this.#refusals, LONGEST_DELAY_MS);
    this.#become({ kind: "reconnecting", attempt: this.#refusals, problem });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#socket.connect(), delay);
  }
}
