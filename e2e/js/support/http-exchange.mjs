// One HTTP request on a connection of its own, with the path sent as it is written.
import http from "node:http";

const ANSWER_MS = 10_000;

/** The status, headers and text of the answer. `signal` cancels the request. */
export function exchange(url, path, { method = "GET", headers = {}, body, signal, ms = ANSWER_MS } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method, headers, signal, agent: false, timeout: ms };
    const request = http.request(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode, headers: response.headers, text })).once("error", reject);
    });
    request.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: "" });
    });
    request.once("timeout", () => request.destroy(new Error(`${method} ${path}: no answer within ${ms} ms`)));
    request.once("error", reject).end(body);
  });
}
