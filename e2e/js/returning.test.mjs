// A client that disconnects from a namespace and connects again on the same connection, while its handlers work, is
// there afterwards: the store, the node, its rooms, the events, the handlers and the gauge agree after each hundred rounds.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, Clients, connection } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { RawClient } from "./support/raw-client.mjs";
import { Redis } from "./support/redis.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const CLIENTS = 100;
const OFFICIAL_ROUNDS = 1_000;
const RAW_ROUNDS = 500;
const ROOMS = 7;
// A node that differs from the store mends it after 48 s at the earliest.
const AGREE_MS = 10_000;

const below = (bound) => Math.floor(Math.random() * bound);
const someRoom = () => `room-${below(ROOMS)}`;

/** Mostly short, up to 300 ms. */
function someMillis() {
  const luck = below(400);
  if (luck === 0) return 20 + below(281);
  return luck < 160 ? below(20) : 0;
}

/** `people` are clients by their ids with the rooms they should be in. */
async function assertAllAgree(server, people) {
  const expected = Object.fromEntries([...people].sort().map(([id, rooms]) => [id, [...rooms].sort()]));
  const members = {};
  for (const room of Object.values(expected).flat()) members[room] = (members[room] ?? 0) + 1;
  const ids = Object.keys(expected);
  let told;
  const agrees = async () => {
    told = await server.json("/stays");
    assert.deepEqual(told.outOfTurn, []);
    for (const by of ["store", "node", "events"]) assert.deepEqual(told[by], expected, by);
    assert.deepEqual(new Set(told.handlers), new Set(ids));
    assert.deepEqual(told.members, members);
    assert.deepEqual([told.count, told.nodeCount], [ids.length, ids.length]);
    return true;
  };
  await until("all agree", agrees, AGREE_MS);
}

/** The number of clients by the gauge, with those of the other namespace, of which nothing else tells that they ended. */
async function assertGauge(server, clients) {
  const agrees = async () => {
    const gauge = /^roomwire_clients (\d+)$/m.exec(await server.get("/metrics"));
    assert.equal(Number(gauge[1]), clients);
    return true;
  };
  await until("the gauge agrees", agrees, AGREE_MS);
}

async function inTurn(rounds, round) {
  for (let hundred = 0; hundred < rounds / CLIENTS; hundred += 1) await round(hundred);
}

for (const state of ["memory", "Redis"]) {
  describe(`clients that come back at once, with state in ${state}`, () => {
    let redis;
    let server;
    const clients = new Clients();

    before(async () => {
      if (state === "Redis") redis = await Redis.start();
      server = await Server.start(protocolBinary(), redis ? { ROOMWIRE_STATE__URLS: redis.url } : {});
    });
    after(async () => {
      clients.closeAll();
      await server?.stop();
      await redis?.stop();
    });

    test(`${OFFICIAL_ROUNDS} rounds of disconnect(); connect() by official clients with two namespaces`, async () => {
      const crowd = Array.from({ length: CLIENTS }, (_, number) => {
        const socket = clients.open(server.url, { transports: [number % 5 === 0 ? "polling" : "websocket"] });
        // Keeps the connection open.
        const beside = socket.io.socket("/admin");
        return { socket, beside, rooms: new Set() };
      });
      await Promise.all(crowd.flatMap(({ socket, beside }) => [connection(socket), connection(beside)]));
      const here = () => new Map(crowd.map(({ socket, rooms }) => [socket.id, rooms]));
      const sessions = () => crowd.map(({ socket }) => socket.io.engine.id);
      const atFirst = sessions();
      await inTurn(OFFICIAL_ROUNDS, async () => {
        const round = async (person) => {
          const { socket } = person;
          for (let event = below(3); event > 0; event -= 1) {
            socket.emit("slow", someMillis());
            socket.emit("join", someRoom());
          }
          socket.disconnect();
          socket.connect();
          await connection(socket);
          person.rooms = new Set(Array.from({ length: below(4) }, someRoom));
          for (const room of person.rooms) assert.equal(await ask(socket, "join", room), null);
        };
        await Promise.all(crowd.map(round));
        await assertAllAgree(server, here());
        await assertGauge(server, 2 * CLIENTS);
      });
      assert.deepEqual(sessions(), atFirst, "each kept its connection");
      for (const { socket, beside } of crowd) for (const end of [socket, beside]) end.disconnect();
      await assertAllAgree(server, new Map());
      await assertGauge(server, 0);
    });

    test(`${RAW_ROUNDS} rounds of 41 and 40 in one segment`, async () => {
      const crowd = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.connected(server)));
      const id = ({ frames }) => JSON.parse(frames.findLast((frame) => frame.startsWith("40{")).slice(2)).sid;
      await inTurn(RAW_ROUNDS, async (hundred) => {
        const round = async (client) => {
          const events = Array.from({ length: below(3) }, () => [`42["slow",${someMillis()}]`, `42["join","${someRoom()}"]`]);
          client.sendTogether([...events.flat(), "41", "40"]);
          await client.connectedTimes(hundred + 2);
          const room = someRoom();
          client.send(`42${hundred}["join","${room}"]`);
          assert.equal(await client.acknowledgement(hundred), null);
          return [id(client), new Set([room])];
        };
        await assertAllAgree(server, new Map(await Promise.all(crowd.map(round))));
      });
      for (const client of crowd) client.close();
      await assertAllAgree(server, new Map());
      await assertGauge(server, 0);
    });
  });
}
