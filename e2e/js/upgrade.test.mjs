// Nothing is lost or reordered while a connection changes from polling to websocket.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, hear } from "./support/clients.mjs";
import { chatBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const ROUNDS = 20;
const AFTERWARDS = 100;
const UNDER_WAY = 16;

describe("the upgrade from polling to websocket", () => {
  let server;
  const clients = new Clients();

  before(async () => {
    server = await Server.start(chatBinary());
  });
  afterEach(() => clients.closeAll());
  after(() => server?.stop());

  /** Talks without a pause from before the connection stands until well after the upgrade. */
  async function talkThrough(round) {
    const room = `upgrade ${round}`;
    const listener = await clients.connected(server.url, { transports: ["websocket"] });
    await ask(listener, "join-room", room);
    const talker = clients.open(server.url, { transports: ["polling", "websocket"] });
    const [heardByTalker, heardByListener] = [hear(talker, "new-message"), hear(listener, "new-message")];

    const transports = [];
    talker.io.once("open", () => {
      transports.push(talker.io.engine.transport.name);
      talker.io.engine.once("upgrade", ({ name }) => transports.push(name));
    });
    const acknowledged = [];
    let sent = 0;
    let sentBeforeUpgrade = 0;
    const say = () => {
      const number = sent++;
      if (transports.length < 2) sentBeforeUpgrade = sent;
      talker.emit("send-message", { room, message: String(number) }, (answer) => {
        acknowledged.push([number, answer]);
        if (sent < sentBeforeUpgrade + AFTERWARDS) say();
      });
    };
    talker.emit("join-room", room);
    for (let underWay = 0; underWay < UNDER_WAY; underWay += 1) say();
    const isOver = () => transports.length === 2 && sent >= sentBeforeUpgrade + AFTERWARDS && acknowledged.length === sent;
    await until("the talk goes on past the upgrade and every message is acknowledged", isOver, 20_000);

    const inOrder = Array.from({ length: sent }, (_, number) => String(number));
    assert.deepEqual(transports, ["polling", "websocket"]);
    assert.ok(sentBeforeUpgrade >= UNDER_WAY);
    assert.deepEqual(acknowledged.map(([number]) => String(number)), inOrder);
    for (const [, answer] of acknowledged) assert.equal(typeof answer.timestamp, "string", JSON.stringify(answer));
    for (const heard of [heardByTalker, heardByListener]) {
      await until("every message is heard", () => heard.all.length >= sent);
      assert.deepEqual(heard.all.map(({ message }) => message), inOrder);
    }
  }

  test(`${ROUNDS} connections talk through their upgrade`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await talkThrough(round);
      clients.closeAll();
    }
  });
});
