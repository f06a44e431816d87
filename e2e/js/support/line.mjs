// A network between client and server that is slow, goes silent, or breaks.
import { createServer, connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const SLICE_MS = 20;
/** How much a busy machine may lag behind the rate and catch up with it. */
const LAG_MS = 500;

export class Line {
  #server;
  #sockets = new Set();
  #asked = new Set(); // the sockets of clients that sent something and were sent nothing since
  #silent = false;
  #bytesPerSecond = { up: Infinity, down: Infinity };

  /** A line to the port of a server; its own address is `url`. */
  static async to(port) {
    const line = new Line();
    line.#server = createServer({ pauseOnConnect: true }, (client) => line.#carry(client, connect(port, "127.0.0.1")));
    await new Promise((resolve, reject) => line.#server.once("error", reject).listen(0, "127.0.0.1", resolve));
    line.url = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  /** From now on so many bytes a second each way. */
  limit({ up = Infinity, down = Infinity }) {
    this.#bytesPerSecond = { up, down };
  }

  /** Nothing arrives, either way, on the connections that are open; new ones work: another network. */
  forget() {
    for (const socket of this.#sockets) socket.isForgotten = true;
    this.#asked.clear();
  }

  /** Nothing arrives on any connection until `wake`: the lid is closed. */
  sleep() {
    this.#silent = true;
  }

  wake() {
    this.#silent = false;
  }

  /** True while a client has sent something on a connection, such as a request, and was sent nothing there since. */
  get isAsked() {
    return this.#asked.size > 0;
  }

  #carry(client, server) {
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.once("close", () => [this.#sockets, this.#asked].forEach((set) => set.delete(socket))).on("error", () => {});
    }
    this.#pump(client, server, "up");
    this.#pump(server, client, "down");
  }

  async #pump(from, to, way) {
    let freeAt = 0; // when what was sent has gone over the line
    try {
      for await (const chunk of from) {
        let rest = chunk;
        while (rest.length > 0) {
          while (this.#silent) await pause(SLICE_MS);
          if (from.isForgotten) return await new Promise((resolve) => from.once("close", resolve));
          if (way === "up") this.#asked.add(from);
          else this.#asked.delete(to);
          const rate = this.#bytesPerSecond[way];
          const size = rate === Infinity ? rest.length : Math.max(1, Math.floor((rate * SLICE_MS) / 1000));
          const part = rest.subarray(0, size);
          if (!to.write(part)) await new Promise((resolve) => to.once("drain", resolve).once("close", resolve));
          rest = rest.subarray(part.length);
          if (rate === Infinity) continue;
          freeAt = Math.max(freeAt, performance.now() - LAG_MS) + (part.length / rate) * 1000;
          await pause(Math.max(0, freeAt - performance.now()));
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
