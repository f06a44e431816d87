// A websocket that ends after it carried the probe both ways, before the client moves to it, costs its session nothing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { PollingSession, SEPARATOR } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const TIMES = 5;
/** The events of the server each time, for some 200 ms, and those of the client. */
const BURST = { count: 100, bytes: 50, pauseMs: 2 };
const COUNTS = 20;
const ENDS = { "is cut": (socket) => socket.terminate(), "is closed": (socket) => socket.close() };

const numbers = (count) => Array.from({ length: count }, (_, number) => number);

/** A session over polling that keeps the packets it is sent; those of an upgrade say nothing. */
class Talk {
  #session;
  packets = [];
  sent = 0;

  constructor(session) {
    this.#session = session;
  }

  get numbers() {
    const head = '42["numbered",';
    return this.packets.filter((packet) => packet.startsWith(head)).map((packet) => JSON.parse(packet.slice(2))[1].number);
  }

  async post(packet) {
    const { status, text } = await this.#session.post(packet);
    assert.deepEqual([status, text], [200, "ok"]);
  }

  async sendCounts() {
    for (const last = this.sent + COUNTS; this.sent < last; this.sent += 1) await this.post(`42["count",${this.sent}]`);
  }

  async readUntil(isComplete) {
    while (!isComplete()) {
      const { status, text } = await this.#session.poll();
      assert.equal(status, 200, text);
      this.packets.push(...text.split(SEPARATOR).filter((packet) => packet !== "6"));
    }
  }
}

describe("a websocket that, between the answer to its probe and the upgrade,", { concurrency: true }, () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  for (const [what, end] of Object.entries(ENDS)) {
    test(`${what}: events of both sides go on over polling, once and in order, ${TIMES} times`, async () => {
      const session = await PollingSession.connected(server.url);
      const talk = new Talk(session);
      const expected = [];
      for (let time = 0; time < TIMES; time += 1) {
        const before = expected.length;
        expected.push(...numbers(BURST.count));
        const socket = await FrameSocket.probing(server.url, session.sid);
        socket.send("2probe");
        assert.equal(await socket.next(), "3probe");
        await talk.post(`42["burst",${JSON.stringify(BURST)}]`);
        const reading = talk.readUntil(() => talk.numbers.length >= expected.length);
        const sending = talk.sendCounts();
        await until("the first event arrives", () => talk.numbers.length > before);
        assert.ok(talk.numbers.length < expected.length, "events are on their way");
        end(socket);
        await socket.closed();
        await Promise.all([reading, sending]);
        assert.deepEqual(talk.numbers, expected);
      }
      await talk.post('421["count-report"]');
      await talk.readUntil(() => talk.packets.at(-1).startsWith("431"));
      assert.equal(talk.packets.at(-1), `431[{"seen":${TIMES * COUNTS},"outOfOrder":0}]`);
      assert.equal(talk.packets.length, expected.length + 1);

      const socket = await FrameSocket.probing(server.url, session.sid);
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      socket.send("5", '422["echo","moved"]');
      assert.equal(await socket.next(), '432["moved"]');
      socket.terminate();
    });
  }
});
