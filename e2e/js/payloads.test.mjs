// What one official client sends arrives at another as it was sent, and never ends its connection.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, hear, refusal } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";

const MOST_ATTACHMENTS = 10;

for (const transports of [["websocket"], ["polling"]]) {
  describe(`payloads over ${transports}`, () => {
    let server;
    const clients = new Clients();

    before(async () => {
      server = await Server.start(protocolBinary());
    });
    afterEach(() => clients.closeAll());
    after(() => server?.stop());

    async function pair() {
      const [sender, receiver] = await Promise.all([0, 1].map(() => clients.connected(server.url, { transports })));
      assert.equal(await ask(receiver, "join", "relay"), null);
      return { sender, receiver, relayed: hear(receiver, "relayed") };
    }

    const parts = (count) => Array.from({ length: count }, (_, number) => Buffer.from([number]));

    test("an event with an attachment too many is refused to its sender and ends no connection", async () => {
      const { sender, receiver, relayed } = await pair();
      for (const count of [MOST_ATTACHMENTS + 1, 16, 64]) {
        const error = await refusal(sender, "LIMIT_EXCEEDED", "relay", { parts: parts(count) });
        assert.equal(error.message, `${count} binary attachments in one message; ${MOST_ATTACHMENTS} are allowed`);
        await refusal(sender, "LIMIT_EXCEEDED", "echo", { parts: parts(count) });
      }
      const most = { parts: parts(MOST_ATTACHMENTS) };
      assert.equal(await ask(sender, "relay", most), null);
      assert.deepEqual(await relayed.first("the event with as many as are allowed"), most);
      assert.deepEqual(await ask(sender, "echo", most), most);
      assert.deepEqual([sender.connected, receiver.connected], [true, true]);
    });

    for (const event of ["relay", "relay-decoded"]) {
      test(`numbers, the order of keys and emojis survive ${event}`, async () => {
        const { sender, relayed } = await pair();
        const sent = {
          zebra: 117.63331139400017,
          apple: [-33.856784000000005, 5, 0.1, 1e21, Number.MAX_SAFE_INTEGER, 2 ** 64],
          "🎉": "🎉\u0000\u2028é",
        };
        assert.equal(await ask(sender, event, sent), null);
        const arrived = await relayed.first("what was sent");
        assert.deepEqual(arrived, sent);
        assert.equal(JSON.stringify(arrived), JSON.stringify(sent));
      });
    }

    test("half an emoji is passed on as it is, and is the replacement character where it was decoded", async () => {
      const { sender, relayed } = await pair();
      const half = "🎉".slice(0, 1);
      assert.equal(await ask(sender, "relay", { half }), null);
      assert.deepEqual(await relayed.first("half of it"), { half });
      assert.equal(await ask(sender, "relay", { half, part: Buffer.from([1]) }), null);
      assert.equal((await relayed.first("half of it beside a file", (value) => value.part)).half, half);
      assert.equal(await ask(sender, "relay-decoded", { decoded: half }), null);
      assert.deepEqual(await relayed.first("what replaces it", (value) => value.decoded), { decoded: "\ufffd" });
    });

    test("further arguments are ignored, and a refusal says what came and names its event", async () => {
      const { sender } = await pair();
      for (const further of [[null], [undefined], ["more", {}]]) {
        assert.equal(await ask(sender, "join", "relay", ...further), null);
      }
      const errors = hear(sender, "error");
      sender.emit("slow", "soon");
      const error = await errors.first("the refusal");
      assert.deepEqual([error.code, error.event, error.field], ["INVALID_PAYLOAD", "slow", "payload"]);
      assert.match(error.message, /string "soon", expected a whole number/);
    });
  });
}
