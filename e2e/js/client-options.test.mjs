// Options of the official client: with each, a client connects, upgrades where it may, and gets back what it sends.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, connection } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];
const OPTIONS = {
  "forceBase64": { forceBase64: true },
  "protocols": { protocols: ["chat"] },
  "two protocols": { protocols: ["v2.chat", "chat"] },
  "addTrailingSlash: false": { addTrailingSlash: false },
  "timestampRequests": { timestampRequests: true, timestampParam: "time" },
  "timestampRequests: false": { timestampRequests: false },
  "extraHeaders": { extraHeaders: { "x-custom": "abc", authorization: "Bearer x" } },
  "withCredentials": { withCredentials: true },
  "query": { query: { name: "größe & more", empty: "" } },
  "auth": { auth: { token: "123" } },
  "perMessageDeflate": { perMessageDeflate: { threshold: 0 } },
  "multiplex: false": { multiplex: false },
  "rememberUpgrade": { rememberUpgrade: true },
  "tryAllTransports": { tryAllTransports: true },
  "retries and ackTimeout": { retries: 3, ackTimeout: 2_000 },
};

async function assertEchoes(socket) {
  for (const value of ["text", { nested: [Buffer.from([1, 2, 3]), { deep: Buffer.alloc(0) }] }, randomBytes(100_000)]) {
    assert.deepEqual(await socket.timeout(5_000).emitWithAck("echo", value), value);
  }
}

describe("options of the official client, on default limits", () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  afterEach(() => clients.closeAll());
  after(() => server?.stop());

  for (const [what, options] of Object.entries(OPTIONS)) {
    for (const transports of TRANSPORTS) {
      test(`a client with ${what} connects and gets back what it sends (${transports.join(", ")})`, async () => {
        const socket = clients.open(server.url, { ...options, transports });
        await connection(socket);
        await assertEchoes(socket);
        await until("the transport is the last", () => socket.io.engine.transport.name === transports.at(-1), 5_000);
        await assertEchoes(socket);
      });
    }
  }

  test("a client with retries sends each event once and in order", async () => {
    const socket = clients.open(server.url, { retries: 3, ackTimeout: 2_000 });
    for (let number = 0; number < 20; number += 1) socket.emit("count", number);
    await connection(socket);
    await until("all events are handled", async () => (await ask(socket, "count-report")).seen >= 20);
    assert.deepEqual(await ask(socket, "count-report"), { seen: 20, outOfOrder: 0 });
  });
});

describe("a client with tryAllTransports", { concurrency: true }, () => {
  for (const [offered, transports] of [["polling", ["websocket", "polling"]], ["websocket", ["polling", "websocket"]]]) {
    test(`connects to a server that offers ${offered} only`, async () => {
      const server = await Server.start(protocolBinary(), withDefaultLimits({ ROOMWIRE_TRANSPORTS: offered }));
      const clients = new Clients();
      try {
        const socket = await clients.connected(server.url, { transports, tryAllTransports: true });
        assert.equal(socket.io.engine.transport.name, offered);
        await assertEchoes(socket);
      } finally {
        clients.closeAll();
        await server.stop();
      }
    });
  }
});
