// A page that leaves a namespace and enters it again, as pages of an application do, is never refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, connection, hear } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];
const TIMES = 6;
const EVERY_MS = 400;

describe("on default limits", { concurrency: true }, () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(async () => {
    clients.closeAll();
    await server?.stop();
  });

  async function page(transports) {
    const main = await clients.connected(server.url, { transports });
    const custom = main.io.socket("/custom");
    const refusals = [hear(main, "connect_error"), hear(custom, "connect_error")];
    await connection(custom);
    return { main, custom, refusals };
  }

  for (const transports of TRANSPORTS) {
    test(`a namespace left and entered ${TIMES} times, each ${EVERY_MS} ms, is connected at the end (${transports})`, async () => {
      const { main, custom, refusals } = await page(transports);
      for (let times = 0; times < TIMES; times += 1) {
        custom.disconnect();
        custom.connect();
        await pause(EVERY_MS);
      }
      await until("the namespace is connected", () => custom.connected, 3_000);
      assert.equal(await ask(custom, "echo", "back"), "back");
      assert.equal(await ask(main, "echo", "still here"), "still here");
      for (const refused of refusals) assert.deepEqual(refused.all, []);
    });

    test(`a namespace entered again the moment it was left is connected each of 10 times (${transports})`, async () => {
      const { custom, refusals } = await page(transports);
      for (let times = 0; times < 10; times += 1) {
        custom.disconnect();
        custom.connect();
        await connection(custom);
        assert.equal(await ask(custom, "echo", times), times);
      }
      for (const refused of refusals) assert.deepEqual(refused.all, []);
    });
  }

  test("the main namespace alone, left and entered again, is connected at the end", async () => {
    const main = await clients.connected(server.url, { transports: ["websocket"] });
    const refused = hear(main, "connect_error");
    for (let times = 0; times < TIMES; times += 1) {
      main.disconnect();
      main.connect();
      await pause(EVERY_MS);
    }
    await until("it is connected", () => main.connected, 3_000);
    assert.equal(await ask(main, "echo", "back"), "back");
    assert.deepEqual(refused.all, []);
  });
});
