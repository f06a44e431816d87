// A WebSocket whose frames are read one by one, pings of the protocol among them.
import { WebSocket } from "ws";
import { within } from "./wait.mjs";

const FRAME_MS = 10_000;
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";

export class FrameSocket {
  #socket;
  #frames = [];
  #waiting = [];
  #opened;
  #closed;

  /** A new session; its `handshake` is read. */
  static async open(url, options) {
    const socket = new FrameSocket(url, WEBSOCKET, options);
    socket.handshake = JSON.parse((await socket.next("the open packet")).slice(1));
    return socket;
  }

  /** A new session, connected to the main namespace. */
  static async connected(url, options) {
    const socket = await FrameSocket.open(url, options);
    socket.send("40");
    const connect = await socket.next("the CONNECT packet");
    if (!connect.startsWith("40{")) throw new Error(`not a CONNECT packet: ${connect}`);
    return socket;
  }

  /** The WebSocket to which a polling session is upgraded. */
  static async probing(url, sid) {
    const socket = new FrameSocket(url, `${WEBSOCKET}&sid=${sid}`);
    await socket.opened();
    return socket;
  }

  constructor(url, path = WEBSOCKET, { protocols = [], ...options } = {}) {
    this.#socket = new WebSocket(url.replace("http", "ws") + path, protocols, options);
    this.#opened = new Promise((resolve, reject) => this.#socket.once("open", resolve).once("close", reject));
    this.#opened.catch(() => {});
    this.#closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.on("error", () => {}); // a close follows
    this.#socket.on("message", (data, isBinary) => {
      this.#frames.push(isBinary ? data : data.toString());
      this.#waiting.shift()?.();
    });
  }

  get protocol() {
    return this.#socket.protocol;
  }

  opened() {
    return within(FRAME_MS, "the WebSocket opens", this.#opened);
  }

  send(...frames) {
    for (const frame of frames) this.#socket.send(frame);
  }

  /** Sends a text in several frames, and a ping of WebSocket between each two of them. */
  sendFragments(...texts) {
    for (const [number, text] of texts.entries()) {
      const isLast = number === texts.length - 1;
      this.#socket.send(text, { fin: isLast });
      if (!isLast) this.#socket.ping(String(number));
    }
  }

  /** Waits for the pong of WebSocket with this content. Of pings that come together, the last may be answered alone. */
  pong(content) {
    const pong = new Promise((resolve) => {
      this.#socket.on("pong", (answered) => answered.toString() === content && resolve());
    });
    return within(FRAME_MS, `the pong ${content}`, pong);
  }

  /** Writes bytes below the framing of the WebSocket. */
  write(bytes) {
    this.#socket._socket.write(bytes);
  }

  /** The next frame: a text, or a Buffer when it is binary. */
  async next(what = "a frame", ms = FRAME_MS) {
    if (this.#frames.length === 0) {
      const frame = new Promise((resolve) => this.#waiting.push(resolve));
      const ended = this.#closed.then((code) => {
        throw new Error(`closed (${code}) before ${what}`);
      });
      await within(ms, what, Promise.race([frame, ended]));
    }
    return this.#frames.shift();
  }

  async take(count) {
    const frames = [];
    while (frames.length < count) frames.push(await this.next(`frame ${frames.length + 1} of ${count}`));
    return frames;
  }

  /** The code with which the WebSocket is closed. */
  closed(what = "the WebSocket is closed", ms = FRAME_MS) {
    return within(ms, what, this.#closed);
  }

  /** Closes it by a close frame. */
  close(code) {
    this.#socket.close(code);
  }

  /** Cuts the connection. */
  terminate() {
    this.#socket.terminate();
  }
}
