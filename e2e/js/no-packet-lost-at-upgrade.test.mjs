// No event that the server sends while a client moves from polling to a websocket is lost or overtaken, whatever its size.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Clients, connection, hear } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { PollingSession, SEPARATOR } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const ROUNDS = 50;
const AT_ONCE = 10;
const CROWD = 20;
const EVENTS = 60;
const LATEST_MS = 20_000;
/** One event fits into an answer to a poll, two do not. */
const SMALL_PAYLOAD = "70000";
const BURSTS = {
  "five events of 60 kB": { count: 5, bytes: 60_000 },
  "five events of 60 kB, 3 ms apart": { count: 5, bytes: 60_000, pauseMs: 3 },
  "three hundred small events": { count: 300, bytes: 50 },
  "a hundred small events, 1 ms apart": { count: 100, bytes: 50, pauseMs: 1 },
  "forty events of 5 kB": { count: 40, bytes: 5_000 },
};

const numbers = (count) => Array.from({ length: count }, (_, number) => number);

describe("the upgrade from polling to websocket, with a small limits.payload", () => {
  let server;
  const clients = new Clients();
  const sockets = [];

  before(async () => {
    server = await Server.start(protocolBinary(), { ROOMWIRE_LIMITS__PAYLOAD: SMALL_PAYLOAD });
  });
  afterEach(() => {
    clients.closeAll();
    sockets.splice(0).forEach((socket) => socket.terminate());
  });
  after(() => server?.stop());

  /** Asks for the burst so many milliseconds after the client is connected, while it is upgraded. */
  async function round(burst, afterMs) {
    const socket = clients.open(server.url, { transports: ["polling", "websocket"] });
    const heard = hear(socket, "numbered");
    const ends = hear(socket, "disconnect");
    await connection(socket);
    if (afterMs > 0) await pause(afterMs);
    socket.emit("burst", burst);
    await until("the client is upgraded", () => socket.io.engine.transport.name === "websocket");
    const arrived = () => heard.all.map(({ number }) => number);
    // A lost event never comes; on a busy machine others take a while.
    await until(`all of ${burst.count} events arrive`, () => arrived().length >= burst.count || ends.all.length > 0, LATEST_MS).catch(() => {});
    assert.deepEqual({ arrived: arrived(), ends: ends.all }, { arrived: numbers(burst.count), ends: [] });
    socket.disconnect();
  }

  for (const [what, burst] of Object.entries(BURSTS)) {
    test(`${what}, sent during the upgrade, all arrive in order; ${ROUNDS} rounds`, async () => {
      for (let done = 0; done < ROUNDS; done += AT_ONCE) {
        await Promise.all(numbers(AT_ONCE).map((number) => round(burst, number % 5)));
      }
    });
  }

  test(`${CROWD} clients at once send ${EVENTS} events with attachments during their upgrade, and get all back in order`, async () => {
    const talk = async () => {
      const socket = clients.open(server.url, { transports: ["polling", "websocket"] });
      const [heard, ends] = [[], hear(socket, "disconnect")];
      socket.on("message-back", (number, attachment) => heard.push([number, [...attachment]]));
      await connection(socket);
      for (const number of numbers(EVENTS)) {
        socket.emit("message", number, Buffer.from([number, 255 - number]));
        if (number % 4 === 0) await pause(1);
      }
      await until("the client is upgraded", () => socket.io.engine.transport.name === "websocket");
      await until(`all of ${EVENTS} events come back`, () => heard.length >= EVENTS);
      assert.deepEqual(heard, numbers(EVENTS).map((number) => [number, [number, 255 - number]]));
      assert.deepEqual(ends.all, []);
    };
    await Promise.all(numbers(CROWD).map(talk));
  });

  /** The numbers of the events as they come in so many polls, in one more beside the probe, and on the websocket. */
  async function byHand({ count, bytes }, polls) {
    const session = await PollingSession.connected(server.url);
    await session.post(`42["burst",${JSON.stringify({ count, bytes })}]`);
    await pause(20);
    const packets = [];
    const events = () => packets.filter((packet) => packet.startsWith('42["numbered"')).map((packet) => JSON.parse(packet.slice(2))[1].number);
    const poll = async () => packets.push(...(await session.poll()).text.split(SEPARATOR));
    for (let number = 0; number < polls && events().length < count; number += 1) await poll();
    const socket = await FrameSocket.probing(server.url, session.sid);
    sockets.push(socket);
    socket.send("2probe");
    assert.equal(await socket.next("the probe's answer"), "3probe");
    await poll();
    socket.send("5");
    while (events().length < count) packets.push(await socket.next(`event ${events().length}`, 3_000));
    return events();
  }

  for (const polls of [0, 1, 2, 3]) {
    test(`five events of 60 kB arrive in order, polls before the upgrade: ${polls}`, async () => {
      assert.deepEqual(await byHand(BURSTS["five events of 60 kB"], polls), numbers(5));
    });
  }
});
