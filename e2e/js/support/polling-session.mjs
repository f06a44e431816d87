// An Engine.IO session over HTTP long-polling, packet by packet.
import assert from "node:assert/strict";
import { exchange } from "./http-exchange.mjs";

export const POLLING = "/socket.io/?EIO=4&transport=polling";
/** Between the packets of one payload. */
export const SEPARATOR = "\x1e";

export class PollingSession {
  #url;

  static async open(url) {
    const { status, text } = await exchange(url, POLLING);
    assert.equal(status, 200, text);
    assert.equal(text[0], "0", text);
    return new PollingSession(url, JSON.parse(text.slice(1)));
  }

  /** Opened and connected to the main namespace. */
  static async connected(url) {
    const session = await PollingSession.open(url);
    assert.equal((await session.post("40")).text, "ok");
    const { status, text } = await session.poll();
    assert.equal(status, 200, text);
    assert.match(text, /^40\{"sid":"[^"]+"/);
    return session;
  }

  constructor(url, handshake) {
    this.#url = url;
    this.handshake = handshake;
    this.sid = handshake.sid;
  }

  get path() {
    return `${POLLING}&sid=${this.sid}`;
  }

  poll(options) {
    return exchange(this.#url, this.path, options);
  }

  post(body, options) {
    return exchange(this.#url, this.path, { ...options, method: "POST", body });
  }

  /** The packets of the polls until there are `count`. */
  async packets(count) {
    const packets = [];
    while (packets.length < count) {
      const { status, text } = await this.poll();
      assert.equal(status, 200, text);
      packets.push(...text.split(SEPARATOR));
    }
    return packets;
  }

  /** True when the server does not know the session any more. Does not wait for packets. */
  async isClosed() {
    const { status, text } = await this.post("3");
    return status === 400 && JSON.parse(text).message === "Session ID unknown";
  }
}
