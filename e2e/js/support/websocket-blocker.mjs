// A proxy that lets HTTP through, accepts websockets, and then loses their frames or closes them.
import { createServer, connect } from "node:net";

/** What becomes of a websocket after its 101: which way frames are lost, or after how many ms it is closed. */
export const BLOCKERS = {
  "loses all frames": { up: true, down: true },
  "loses the client's frames": { up: true },
  "loses the server's frames": { down: true },
  "closes a websocket at once": { closesAfter: 0 },
  "loses all frames and closes a websocket after 300 ms": { up: true, down: true, closesAfter: 300 },
};

export class WebsocketBlocker {
  #server;
  #sockets = new Set();
  /** The number of GET requests so far. */
  requests = 0;

  /** A proxy for a port; its own address is `url`. */
  static async for(port, { up = false, down = false, closesAfter }) {
    const proxy = new WebsocketBlocker();
    proxy.#server = createServer((client) => proxy.#carry(client, connect(port, "127.0.0.1"), { up, down, closesAfter }));
    await new Promise((resolve, reject) => proxy.#server.once("error", reject).listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  #carry(client, server, { up, down, closesAfter }) {
    let isWebsocket = false;
    let isAccepted = false;
    const close = () => [client, server].forEach((socket) => socket.destroy());
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true).on("error", close).once("close", () => this.#sockets.delete(socket) && close());
    }
    client.on("data", (bytes) => {
      const isRequest = bytes.subarray(0, 4).toString() === "GET ";
      if (isRequest) this.requests += 1;
      if (isRequest && /^upgrade: websocket/im.test(bytes.toString("latin1"))) isWebsocket = true;
      if (!(isWebsocket && isAccepted && up)) server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (!(isWebsocket && isAccepted && down)) client.write(bytes);
      if (isWebsocket && !isAccepted) {
        isAccepted = true;
        if (closesAfter !== undefined) setTimeout(close, closesAfter);
      }
    });
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
