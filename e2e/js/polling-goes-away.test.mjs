// The server notices within a second that a client is gone, and does not mistake a client between two polls for one.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, hear } from "./support/clients.mjs";
import { ClientProcess } from "./support/client-process.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { PollingSession } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

/** Until the GET that follows the last answer is on its way. */
const POLL_BEGINS_MS = 300;
const NOTICED_MS = 1_000;

describe("a client that goes away, on default limits", () => {
  let server;
  const clients = new Clients();

  beforeEach(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  afterEach(async () => {
    clients.closeAll();
    await server?.stop();
  });

  const clientCount = async () => (await server.json("/state")).clients;

  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    test(`a client whose process is killed is disconnected within a second (${transports})`, async () => {
      const client = await ClientProcess.connected(server.url, transports);
      await until("the server counts the client", async () => (await clientCount()) === 1);
      await pause(POLL_BEGINS_MS);
      client.kill();
      await until("the server reports the disconnect", async () => (await clientCount()) === 0, NOTICED_MS);
    });
  }

  test("a client that cancels its poll is disconnected within a second, and its poll takes no events with it", async () => {
    const session = await PollingSession.connected(server.url);
    const cancel = new AbortController();
    const poll = session.poll({ signal: cancel.signal });
    await pause(POLL_BEGINS_MS);
    assert.equal(await clientCount(), 1);
    cancel.abort();
    await assert.rejects(poll);
    await until("the server reports the disconnect", async () => (await clientCount()) === 0, NOTICED_MS);
    assert.ok(await session.isClosed());
  });

  test("a session between two polls remains", async () => {
    const session = await PollingSession.connected(server.url);
    for (let round = 0; round < 3; round += 1) {
      await pause(NOTICED_MS);
      await session.post(`42${round}["echo","round ${round}"]`);
      assert.equal((await session.poll()).text, `43${round}["round ${round}"]`);
    }
    assert.equal(await clientCount(), 1);
    const end = session.poll();
    await pause(POLL_BEGINS_MS);
    await session.post("1");
    await within(NOTICED_MS, "the poll ends", end);
    await until("the session is over", async () => (await clientCount()) === 0, NOTICED_MS);
  });

  test("others are told at once that a client over polling is gone", async () => {
    const other = await clients.connected(server.url);
    const left = hear(other, "disconnect");
    const client = await ClientProcess.connected(server.url, ["polling"]);
    await until("two clients are counted", async () => (await ask(other, "crowd")) === 2);
    await pause(POLL_BEGINS_MS);
    client.kill();
    await until("one client is counted", async () => (await ask(other, "crowd")) === 1, NOTICED_MS);
    assert.deepEqual(left.all, []);
    other.disconnect();
  });
});
