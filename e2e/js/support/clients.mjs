// Official clients: opened, asked, listened to, and all closed at the end of a test.
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { Inbox, within } from "./wait.mjs";

export const ANSWER_MS = 10_000;

export class Clients {
  #open = new Set();

  /** A client that is about to connect; it does not reconnect unless told to. */
  open(url, options = {}) {
    const socket = io(url, { forceNew: true, reconnection: false, ...options });
    this.#open.add(socket);
    return socket;
  }

  async connected(url, options) {
    const socket = this.open(url, options);
    await connection(socket);
    return socket;
  }

  /** Connected, and past the upgrade to websocket. */
  async upgraded(url, options = {}) {
    const socket = this.open(url, { ...options, transports: ["polling", "websocket"] });
    await Promise.all([connection(socket), upgrade(socket)]);
    return socket;
  }

  closeAll() {
    for (const socket of this.#open) {
      socket.removeAllListeners();
      socket.disconnect();
    }
    this.#open.clear();
  }
}

export function connection(socket) {
  const outcome = new Promise((resolve, reject) => {
    if (socket.connected) resolve();
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  return within(ANSWER_MS, "the client connects", outcome);
}

/** The next time it stands, however many attempts that takes. */
export function nextConnection(socket, ms = ANSWER_MS) {
  return within(ms, "the client connects again", new Promise((resolve) => socket.once("connect", resolve)));
}

export function upgrade(socket) {
  const upgraded = new Promise((resolve) => {
    const watch = () => socket.io.engine.once("upgrade", resolve);
    if (socket.io.engine?.readyState === "open") watch();
    else socket.io.once("open", watch);
  });
  return within(ANSWER_MS, "the connection is upgraded", upgraded);
}

/** The first value of the acknowledgement. */
export async function ask(socket, event, ...values) {
  return (await askAll(socket, event, ...values))[0];
}

/** All values of the acknowledgement. */
export function askAll(socket, event, ...values) {
  return new Promise((resolve, reject) => {
    socket.timeout(ANSWER_MS).emit(event, ...values, (error, ...answer) => {
      if (error) reject(new Error(`no acknowledgement of ${event}: ${error.message}`));
      else resolve(answer);
    });
  });
}

/** Asks and expects an error of this code as the acknowledgement; returns the error. */
export async function refusal(socket, code, event, ...values) {
  const answer = await ask(socket, event, ...values);
  assertError(answer?.error, code, `${event} ${JSON.stringify(values).slice(0, 200)}: ${JSON.stringify(answer)}`);
  return answer.error;
}

export function assertError(error, code, context) {
  assert.equal(error?.code, code, context);
  assert.equal(typeof error.message, "string", context);
  assert.notEqual(error.message, "", context);
}

/** Everything the client hears of one event, from now on; each item is the event's first value. */
export function hear(socket, event) {
  const inbox = new Inbox();
  socket.on(event, (value) => inbox.put(value));
  return inbox;
}
