// HTTP requests as proxies and other clients write them: chunked, several in one segment, of HTTP/1.0.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { POLLING, PollingSession } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

/** Everything that the server sends until it closes the connection. */
function send(port, text) {
  const received = new Promise((resolve, reject) => {
    const parts = [];
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (part) => parts.push(part)).once("error", reject);
    socket.once("close", () => resolve(Buffer.concat(parts).toString()));
  });
  return within(10_000, "the server answers and closes the connection", received);
}

const statuses = (answers) => [...answers.matchAll(/HTTP\/1\.[01] (\d+) /g)].map(([, status]) => Number(status));

describe("HTTP requests", () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  test("a chunked body is a payload", async () => {
    const session = await PollingSession.connected(server.url);
    const head = `POST ${session.path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    const answer = await send(server.port, `${head}4\r\n427[\r\n9\r\n"echo",1]\r\n0\r\n\r\n`);
    assert.deepEqual(statuses(answer), [200]);
    assert.match(answer, /\r\n\r\nok$/);
    assert.equal((await session.poll()).text, "437[1]");
  });

  test("requests of one session in one segment are answered in order", async () => {
    const session = await PollingSession.connected(server.url);
    const post = (body) => `POST ${session.path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const poll = `GET ${session.path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    const answers = await send(server.port, post('427["echo",1]') + post('428["echo",2]') + poll);
    assert.deepEqual(statuses(answers), [200, 200, 200]);
    const [first, ...rest] = answers.split("\r\n\r\n").at(-1).split("\x1e");
    assert.equal(first, "437[1]");
    const second = rest.length > 0 ? rest : [(await session.poll()).text];
    assert.deepEqual(second, ["438[2]"]);
  });

  test("HTTP/1.0 opens a session, and the connection is closed after the answer", async () => {
    const answer = await send(server.port, `GET ${POLLING} HTTP/1.0\r\n\r\n`);
    assert.deepEqual(statuses(answer), [200]);
    assert.match(answer, /\r\n\r\n0\{"sid":"/);
  });
});
