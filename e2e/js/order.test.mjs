// Events of one client are handled one at a time and in the order sent, and the first one is never lost.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, connection, hear } from "./support/clients.mjs";
import { chatBinary, protocolBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const CROWD = 500;
const PATIENCE_MS = 60_000;

describe("the order of events", () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(protocolBinary());
  });
  afterEach(() => clients.closeAll());
  after(() => server?.stop());

  for (const [transport, count] of [
    ["websocket", 20_000],
    ["polling", 5_000],
  ]) {
    test(`${count.toLocaleString("en")} events sent without waiting over ${transport} arrive in order`, async () => {
      const client = await clients.connected(server.url, { transports: [transport] });
      const errors = hear(client, "error");
      const ends = hear(client, "disconnect");
      for (let number = 0; number < count; number += 1) client.emit("count", number);
      const report = new Promise((resolve) => client.emit("count-report", resolve));
      const ended = ends.first("a disconnect", () => true, PATIENCE_MS).then((reason) => {
        throw new Error(`disconnected: ${reason}`);
      });
      const answer = await within(PATIENCE_MS, "the report", Promise.race([report, ended]));
      assert.deepEqual(answer, { seen: count, outOfOrder: 0 });
      assert.deepEqual(errors.all, []);
    });
  }

  test("a slow event holds back the ones behind it, and no other client", async () => {
    const [slow, other] = [await clients.connected(server.url), await clients.connected(server.url)];
    const finished = [];
    const done = [
      ask(slow, "slow", 300).then(() => finished.push("slow")),
      ask(slow, "echo", 1).then(() => finished.push("behind it")),
    ];
    await ask(other, "echo", 1).then(() => finished.push("other client"));
    await Promise.all(done);
    assert.deepEqual(finished, ["other client", "slow", "behind it"]);
  });

  for (const [transport, size] of [
    ["websocket", CROWD],
    ["polling", CROWD / 5],
  ]) {
    test(`${size} clients that send before they are connected lose nothing over ${transport}`, async () => {
      const crowd = Array.from({ length: size }, () => {
        const client = clients.open(server.url, { transports: [transport] });
        client.emit("count", 0);
        return client;
      });
      await Promise.all(crowd.map((client) => connection(client)));
      const reports = await Promise.all(crowd.map((client) => ask(client, "count-report")));
      const wrong = reports.filter(({ seen, outOfOrder }) => seen !== 1 || outOfOrder !== 0);
      assert.deepEqual(wrong, []);
      assert.equal(reports.length, size);
      clients.closeAll();
      await until("the crowd is forgotten", async () => (await server.json("/state")).clients === 0, PATIENCE_MS);
    });
  }
});

describe("the order of a join and a message", () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(chatBinary());
  });
  after(async () => {
    clients.closeAll();
    await server?.stop();
  });

  test(`${CROWD} clients that join and speak in the same breath each hear themselves`, async () => {
    const crowd = Array.from({ length: CROWD }, () => clients.open(server.url, { transports: ["websocket"] }));
    const heard = crowd.map((client) => ({ joins: hear(client, "user-joined"), messages: hear(client, "new-message"), errors: hear(client, "error") }));
    await Promise.all(crowd.map((client) => connection(client)));
    for (const [number, client] of crowd.entries()) {
      client.emit("join-room", `breath ${number % 50}`);
      client.emit("send-message", { room: `breath ${number % 50}`, message: `from ${number}` });
    }
    await Promise.all(
      crowd.map(async (client, number) => {
        const own = await heard[number].messages.first(`client ${number} hears itself`, ({ userId }) => userId === client.id, PATIENCE_MS);
        assert.equal(own.message, `from ${number}`);
        assert.equal(heard[number].joins.all.filter(({ userId }) => userId === client.id).length, 1);
        assert.deepEqual(heard[number].errors.all, []);
      }),
    );
  });
});
