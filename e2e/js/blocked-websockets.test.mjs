// Where a proxy or a virus scanner blocks websockets without a word, clients stay on HTTP long-polling and miss nothing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, connection } from "./support/clients.mjs";
import { DefaultServer } from "./support/default-server.mjs";
import { BLOCKERS, WebsocketBlocker } from "./support/websocket-blocker.mjs";

const ECHOES = 20;
const EVERY_MS = 150;
/** Polls that carry an echo or its ping, and those of the first moment. */
const MOST_REQUESTS = ECHOES * 2 + 10;
/** Ten a second while the websocket is probed. */
const MOST_DURING_PROBE = (ECHOES * EVERY_MS) / 100;

describe("a proxy that", { concurrency: true }, () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await DefaultServer.in("memory");
  });
  after(async () => {
    clients.closeAll();
    await server?.stopAll();
  });

  for (const [what, behaviour] of Object.entries(BLOCKERS)) {
    test(`${what}: a client on default options connects, stays and misses nothing`, async () => {
      const proxy = await WebsocketBlocker.for(new URL(server.url).port, behaviour);
      try {
        const socket = clients.open(proxy.url);
        const began = Date.now();
        await connection(socket);
        assert.ok(Date.now() - began < 1000, `connected after ${Date.now() - began} ms`);
        const session = socket.io.engine.id;
        const disconnects = [];
        socket.on("disconnect", (reason) => disconnects.push(reason));
        for (let number = 0; number < ECHOES; number += 1) {
          assert.equal(await ask(socket, "echo", number), number);
          await pause(EVERY_MS);
        }
        assert.deepEqual(disconnects, []);
        assert.equal(socket.io.engine.transport.name, "polling");
        assert.equal(socket.io.engine.id, session);
        assert.equal(proxy.websockets, 1);
        const most = MOST_REQUESTS + (behaviour.refuses ? 0 : MOST_DURING_PROBE);
        assert.ok(proxy.requests <= most, `${proxy.requests} requests`);
      } finally {
        await proxy.close();
      }
    });
  }
});
