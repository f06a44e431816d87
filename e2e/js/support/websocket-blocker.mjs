// A proxy that lets HTTP through, and refuses websockets, or accepts them and then loses their frames or closes them.
import { createServer, connect } from "node:net";

/**
 * What becomes of a websocket after its 101: which way frames are lost, or after how many ms it is closed. Or whether
 * its request is answered with 403, and whether the server is asked before.
 */
export const BLOCKERS = {
  "accepts a websocket and loses all frames": { up: true, down: true },
  "accepts a websocket and loses the client's frames": { up: true },
  "accepts a websocket and loses the server's frames": { down: true },
  "accepts a websocket and closes it at once": { closesAfter: 0 },
  "accepts a websocket, loses all frames and closes it after 300 ms": { up: true, down: true, closesAfter: 300 },
  "answers the request for a websocket with 403": { refuses: true },
  "answers 403 in place of the server's 101": { refuses: true, asksServer: true },
};

const REFUSAL = "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\nBlocked";

export class WebsocketBlocker {
  #server;
  #sockets = new Set();
  /** The number of GET requests so far, and how many of them were for a websocket. */
  requests = 0;
  websockets = 0;

  /** A proxy for a port; its own address is `url`. */
  static async for(port, behaviour) {
    const proxy = new WebsocketBlocker();
    proxy.#server = createServer((client) => proxy.#carry(client, connect(port, "127.0.0.1"), behaviour));
    await new Promise((resolve, reject) => proxy.#server.once("error", reject).listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  #carry(client, server, { up = false, down = false, closesAfter, refuses = false, asksServer = false }) {
    let isWebsocket = false;
    let isAccepted = false;
    const close = () => [client, server].forEach((socket) => socket.destroy());
    const refuse = () => client.end(REFUSAL);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true).on("error", close).once("close", () => this.#sockets.delete(socket) && close());
    }
    client.on("data", (bytes) => {
      const isRequest = bytes.subarray(0, 4).toString() === "GET ";
      if (isRequest) this.requests += 1;
      if (isRequest && /^upgrade: websocket/im.test(bytes.toString("latin1"))) {
        isWebsocket = true;
        this.websockets += 1;
        if (refuses && !asksServer) return refuse();
      }
      if (!(isWebsocket && isAccepted && up)) server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (isWebsocket && refuses) return refuse();
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
