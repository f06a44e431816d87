// The cases of the Engine.IO v4 protocol suite. Messages are Socket.IO packets here, since the server reads no others.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { withDefaultLimits, protocolBinary } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { exchange } from "./support/http-exchange.mjs";
import { POLLING, PollingSession, SEPARATOR } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const WITHOUT_EIO = ["transport=", "EIO=abc&transport="];
const WITHOUT_TRANSPORT = ["EIO=4", "EIO=4&transport=abc"];
/** Long enough for the handlers of what was sent. */
const HANDLED_MS = 200;

function assertHandshake(handshake, upgrades) {
  assert.deepEqual(Object.keys(handshake).sort(), ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
  assert.equal(typeof handshake.sid, "string");
  assert.deepEqual(handshake.upgrades, upgrades);
  assert.equal(handshake.pingInterval, 25_000);
  assert.ok(handshake.pingTimeout > 0 && handshake.maxPayload >= 1_000_000, JSON.stringify(handshake));
}

describe("Engine.IO on default limits", () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  describe("the handshake over polling", () => {
    test("opens a session", async () => {
      const { handshake } = await PollingSession.open(server.url);
      assertHandshake(handshake, ["websocket"]);
    });

    for (const query of [...WITHOUT_EIO.map((query) => `${query}polling`), ...WITHOUT_TRANSPORT]) {
      test(`is refused with the query ${query}`, async () => {
        assert.equal((await exchange(server.url, `/socket.io/?${query}`)).status, 400);
      });
    }

    for (const method of ["POST", "PUT"]) {
      test(`is refused with the method ${method}`, async () => {
        assert.equal((await exchange(server.url, POLLING, { method })).status, 400);
      });
    }
  });

  describe("the handshake over websocket", () => {
    test("opens a session", async () => {
      const socket = await FrameSocket.open(server.url);
      assertHandshake(socket.handshake, []);
      socket.terminate();
    });

    for (const query of [...WITHOUT_EIO.map((query) => `${query}websocket`), ...WITHOUT_TRANSPORT]) {
      test(`is refused with the query ${query}`, async () => {
        await new FrameSocket(server.url, `/socket.io/?${query}`).closed();
      });
    }
  });

  describe("messages over polling", () => {
    test("a payload of one text packet is answered with ok and handled", async () => {
      const session = await PollingSession.connected(server.url);
      const { status, text } = await session.post('421["echo","hello"]');
      assert.deepEqual([status, text], [200, "ok"]);
      assert.equal((await session.poll()).text, '431["hello"]');
    });

    test("a payload of several text packets is handled in order, and several packets are one payload", async () => {
      const session = await PollingSession.connected(server.url);
      const packets = [1, 2, 3].map((id) => `42${id}["echo","test${id}"]`);
      const { status, text } = await session.post(packets.join(SEPARATOR));
      assert.deepEqual([status, text], [200, "ok"]);
      await pause(HANDLED_MS);
      const { text: answer } = await session.poll();
      assert.equal(answer, ['431["test1"]', '432["test2"]', '433["test3"]'].join(SEPARATOR));
    });

    test("binary packets are base64 in both directions", async () => {
      const session = await PollingSession.connected(server.url);
      const { text } = await session.post(`451-1["echo",{"_placeholder":true,"num":0}]${SEPARATOR}bAQIDBA==`);
      assert.equal(text, "ok");
      assert.deepEqual(await session.packets(2), ['461-1[{"_placeholder":true,"num":0}]', "bAQIDBA=="]);
    });

    for (const [what, body] of [["an invalid packet", "abc"], ["an empty payload", ""]]) {
      test(`${what} closes the session`, async () => {
        const session = await PollingSession.connected(server.url);
        await session.post(body);
        assert.equal((await session.poll()).status, 400);
      });
    }

    test("a second poll beside one that waits closes the session", async () => {
      const session = await PollingSession.connected(server.url);
      const first = session.poll();
      await pause(50);
      const second = await session.poll();
      assert.ok([400, 500].includes(second.status), `${second.status} ${second.text}`);
      const { status, text } = await first;
      assert.deepEqual([status, text], [200, "1"]);
      assert.equal((await session.poll()).status, 400);
    });

    test("a cancelled poll closes the session", async () => {
      const session = await PollingSession.connected(server.url);
      const cancel = new AbortController();
      const poll = session.poll({ signal: cancel.signal });
      await pause(50);
      cancel.abort();
      await assert.rejects(poll);
      await until("the session is closed", () => session.isClosed(), 1_000);
    });
  });

  describe("messages over websocket", () => {
    test("a text packet is handled", async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send('421["echo","hello"]');
      assert.equal(await socket.next(), '431["hello"]');
      socket.terminate();
    });

    test("a binary packet is a binary frame in both directions", async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send('451-1["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3, 4]));
      assert.deepEqual(await socket.take(2), ['461-1[{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3, 4])]);
      socket.terminate();
    });

    test("an invalid packet closes the session", async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send("abc");
      await socket.closed();
    });
  });

  describe("the packet that closes", () => {
    for (const [what, payload] of [["alone", "1"], ["behind a DISCONNECT packet", `41${SEPARATOR}1`]]) {
      test(`${what}, ends a session over polling, and its poll with a noop packet`, async () => {
        const session = await PollingSession.connected(server.url);
        const poll = session.poll();
        await pause(50);
        assert.equal((await session.post(payload)).status, 200);
        const { status, text } = await within(2_000, "the poll ends", poll);
        assert.deepEqual([status, text], [200, "6"]);
        assert.equal((await session.poll()).status, 400);
      });
    }

    test("ends a session over websocket", async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send("1");
      await socket.closed();
    });
  });

  describe("the upgrade from polling to websocket", () => {
    async function upgraded() {
      const session = await PollingSession.connected(server.url);
      const socket = await FrameSocket.probing(server.url, session.sid);
      socket.send("2probe");
      assert.equal(await socket.next("the probe's answer"), "3probe");
      return { session, socket };
    }

    async function assertAnswers(socket) {
      socket.send('421["echo","hello"]');
      assert.equal(await socket.next(), '431["hello"]');
      socket.terminate();
    }

    test("succeeds, and ends the poll that waits with a noop packet", async () => {
      const { session, socket } = await upgraded();
      const { status, text } = await session.poll();
      assert.deepEqual([status, text], [200, "6"]);
      socket.send("5");
      await assertAnswers(socket);
    });

    test("refuses later requests of the session and keeps its websocket", async () => {
      const { session, socket } = await upgraded();
      socket.send("5");
      await pause(50);
      assert.equal((await session.poll()).status, 400);
      await assertAnswers(socket);
    });

    test("closes a further websocket of the session and keeps the first", async () => {
      const { session, socket } = await upgraded();
      socket.send("5");
      await pause(50);
      await new FrameSocket(server.url, `/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`).closed();
      await assertAnswers(socket);
    });
  });
});

describe("the heartbeat, with pings each 300 ms", { concurrency: true }, () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), { ROOMWIRE_PING_INTERVAL: "300", ROOMWIRE_PING_TIMEOUT: "200" });
  });
  after(() => server?.stop());

  test("pings and reads pongs over polling", async () => {
    const session = await PollingSession.open(server.url);
    assert.deepEqual([session.handshake.pingInterval, session.handshake.pingTimeout], [300, 200]);
    for (let round = 0; round < 3; round += 1) {
      const { status, text } = await session.poll();
      assert.deepEqual([status, text], [200, "2"]);
      assert.equal((await session.post("3")).status, 200);
    }
  });

  test("closes a session over polling that sends no pong", async () => {
    const session = await PollingSession.open(server.url);
    await pause(550);
    assert.equal((await session.poll()).status, 400);
  });

  test("pings and reads pongs over websocket", async () => {
    const socket = await FrameSocket.open(server.url);
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await socket.next("a ping", 600), "2");
      socket.send("3");
    }
    socket.terminate();
  });

  test("closes a session over websocket that sends no pong", async () => {
    const began = performance.now();
    const socket = await FrameSocket.open(server.url);
    await socket.closed("no pong closes the session", 2_000);
    const ms = performance.now() - began;
    assert.ok(ms > 450, `closed after ${ms} ms`);
  });
});
