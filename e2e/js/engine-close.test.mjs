// What a client sends right before it closes its connection arrives, also right after it connected.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, connection, hear } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const ROUNDS = 15;

describe("a client that sends an event and closes its connection at once", () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  afterEach(() => clients.closeAll());
  after(() => server?.stop());

  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    test(`the event arrives, each of ${ROUNDS} times (${transports})`, async () => {
      const witness = await clients.connected(server.url);
      const heard = hear(witness, "relayed");
      await ask(witness, "join", "relay");
      for (let round = 0; round < ROUNDS; round += 1) {
        const socket = clients.open(server.url, { transports });
        socket.once("connect", () => {
          socket.emit("relay", round);
          socket.io.engine.close();
        });
        await connection(socket);
        await until("the event arrives", () => heard.all.length > round);
      }
      assert.deepEqual(heard.all, Array.from({ length: ROUNDS }, (_, round) => round));
    });
  }
});
