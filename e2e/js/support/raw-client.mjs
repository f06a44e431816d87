// A WebSocket client that speaks the protocol by hand, so that it can speak it wrongly.
import { WebSocket } from "ws";
import { Inbox, within } from "./wait.mjs";

const PING = "2";
const PONG = "3";

export class RawClient {
  #socket;
  #frames = new Inbox();
  #closed;
  isOpen = true;

  /** Opened and connected to the namespace `/`; `greet` is called the moment the CONNECT packet is read. */
  static async connected(server, greet = () => {}) {
    const client = new RawClient(`${server.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, greet);
    await client.#frames.first("the open packet", (frame) => frame.startsWith("0{"));
    client.send("40");
    await client.#frames.first("the CONNECT packet", (frame) => frame.startsWith("40{"));
    return client;
  }

  constructor(url, greet) {
    this.#socket = new WebSocket(url);
    this.#closed = new Promise((resolve) => {
      this.#socket.once("close", (code) => {
        this.isOpen = false;
        resolve(`closed (${code})`);
      });
    });
    this.#socket.on("error", () => {
      // a close follows, and that is what the tests look at
    });
    this.#socket.on("message", (data, isBinary) => {
      const frame = isBinary ? `binary ${data.toString("hex")}` : data.toString();
      if (frame === PING) this.send(PONG);
      else {
        if (frame.startsWith("40{")) greet(this);
        this.#frames.put(frame);
      }
    });
  }

  get frames() {
    return this.#frames.all;
  }

  send(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  /** Sends frames in one segment. */
  sendTogether(frames) {
    const stream = this.#socket._socket;
    stream.cork();
    for (const frame of frames) this.send(frame);
    stream.uncork();
  }

  /** How often it was told that it is connected to `/`. */
  get connects() {
    return this.frames.filter((frame) => frame.startsWith("40{")).length;
  }

  connectedTimes(times) {
    return this.#frames.first(`CONNECT packet ${times}`, () => this.connects >= times);
  }

  /** The first value of the acknowledgement with this id. */
  async acknowledgement(id) {
    const head = `43${id}[`;
    const frame = await this.#frames.first(`acknowledgement ${id}`, (candidate) => candidate.startsWith(head));
    return JSON.parse(frame.slice(head.length - 1))[0];
  }

  /** The values of all `error` events so far. */
  get errors() {
    const head = '42["error",';
    return this.frames.filter((frame) => frame.startsWith(head)).map((frame) => JSON.parse(frame.slice(2))[1]);
  }

  error() {
    return this.#frames.first("an error event", (frame) => frame.startsWith('42["error",')).then(() => this.errors[0]);
  }

  closed(what = "the connection is closed") {
    return within(10_000, what, this.#closed);
  }

  close() {
    this.#socket.terminate();
  }
}
