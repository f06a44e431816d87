// A page server of a developer, such as vite: serves a page with the official client, and passes the service's path on.
import http from "node:http";
import { connect } from "node:net";
import { readFile } from "node:fs/promises";

const CLIENT = new URL("../../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url);
const PAGE = '<!doctype html><title>dev</title><link rel="icon" href="data:,"><script src="/client.js"></script>';

export class DevServer {
  #server;
  #sockets = new Set();

  /** Listens on a free port of all loopback addresses. `target` is the port of the service, `changeOrigin` as in vite. */
  static async start({ target, changeOrigin = false, headers = {} }) {
    const server = new DevServer();
    const script = await readFile(CLIENT);
    const forwarded = (request) => ({
      ...request.headers,
      ...(changeOrigin ? { host: `localhost:${target}` } : {}),
      ...headers,
    });
    server.#server = http.createServer((request, response) => {
      if (request.url === "/client.js") return response.setHeader("content-type", "text/javascript").end(script);
      if (!request.url.startsWith("/socket.io")) return response.setHeader("content-type", "text/html").end(PAGE);
      const { method, url: path } = request;
      const passed = http.request({ port: target, host: "127.0.0.1", method, path, headers: forwarded(request) }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      passed.on("error", () => response.destroy());
      response.once("close", () => passed.destroy());
      return request.pipe(passed);
    });
    server.#server.on("connection", (socket) => {
      server.#sockets.add(socket);
      socket.once("close", () => server.#sockets.delete(socket));
    });
    server.#server.on("upgrade", (request, socket, head) => {
      const passed = connect(target, "127.0.0.1", () => {
        const lines = Object.entries(forwarded(request)).map(([name, value]) => `${name}: ${value}\r\n`);
        passed.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
        passed.write(head);
        socket.pipe(passed).pipe(socket);
      });
      for (const [one, other] of [[socket, passed], [passed, socket]]) {
        one.on("error", () => other.destroy()).once("close", () => other.destroy());
      }
    });
    await new Promise((resolve, reject) => server.#server.once("error", reject).listen(0, resolve));
    server.port = server.#server.address().port;
    return server;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
