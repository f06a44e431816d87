// Three nodes behind nginx are restarted one after the other under load: every client is back soon, once, and in turn.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, connection, hear } from "./support/clients.mjs";
import { RollingCluster } from "./support/rolling-cluster.mjs";
import { until } from "./support/wait.mjs";

const FULL = process.env.FULL_TESTS !== undefined;
const CLIENTS = FULL ? 1_000 : 60;
// One large room, or many.
const ROOMS = FULL ? 50 : 1;
const BETWEEN_MESSAGES_MS = FULL ? 4_000 : 200;
const roomOf = (number) => `rolling ${number % ROOMS}`;
const ALL_ROOMS = Array.from({ length: ROOMS }, (_, number) => roomOf(number));
// The official client waits 0.5 to 1.5 s before it reconnects; the rest is for a busy machine.
const BACK_MS = 1_500 + 2_000;
// So long nginx does not ask a node again that refused a client (`fail_timeout`).
const TAKEN_BACK_MS = 10_500;
const TRANSPORTS = [["websocket"], ["polling", "websocket"]];

/** The most of these moments that lie in any one second. */
function mostInASecond(moments) {
  const sorted = [...moments].sort((a, b) => a - b);
  return Math.max(0, ...sorted.map((first, at) => sorted.slice(at).filter((moment) => moment < first + 1_000).length));
}

describe("a rolling restart of three nodes", () => {
  let cluster;
  const clients = new Clients();
  let running = true;

  before(async () => {
    // All clients have one address, so each node admits half of this number.
    cluster = await RollingCluster.start(3, { ROOMWIRE_MAX_CONNECTIONS: `${4 * CLIENTS}` });
  });
  after(async () => {
    running = false;
    clients.closeAll();
    await cluster?.stop();
  });

  /** Sends one message after the other and keeps those that were acknowledged. */
  async function talk(person) {
    for (let number = 0; running; number += 1) {
      const message = `${person.name} ${number}`;
      if (person.socket.connected && person.joined) {
        const answer = await ask(person.socket, "send-message", { room: person.room, message }).catch(() => undefined);
        if (answer?.timestamp) person.acknowledged.push(message);
      }
      await pause(BETWEEN_MESSAGES_MS * (0.75 + Math.random() / 2));
    }
  }

  async function enter(number) {
    const name = `person ${number}`;
    const transports = TRANSPORTS[number % TRANSPORTS.length];
    const options = { transports, reconnection: true, auth: { name }, extraHeaders: { cookie: `roomwire_route=${number}` } };
    const socket = clients.open(cluster.url, options);
    const room = roomOf(number);
    const person = { name, socket, room, joined: false, acknowledged: [], gone: [], back: [], refused: [] };
    socket.on("disconnect", (reason) => {
      person.joined = false;
      person.gone.push({ at: Date.now(), reason });
    });
    socket.on("connect_error", (error) => person.refused.push(error.message));
    socket.on("connect", async () => {
      person.back.push(Date.now());
      await ask(socket, "join-room", room);
      person.joined = true;
    });
    await connection(socket);
    talk(person);
    return person;
  }

  /** A client of this node alone: it hears what is said, and sees who is in the rooms. */
  async function observe(node) {
    const socket = await clients.connected(node.url, { transports: ["websocket"], auth: { name: `observer of ${node.port}` } });
    const heard = hear(socket, "new-message");
    const membersOf = async (room) => (await ask(socket, "join-room", room)).members.map(({ name }) => name);
    const names = async () => (await Promise.all(ALL_ROOMS.map(membersOf))).flat().filter((name) => name.startsWith("person"));
    await names();
    return { socket, heard, names };
  }

  test("each client is back within its own delay, at most once a restart, and nothing acknowledged is lost", async () => {
    const people = [];
    for (let number = 0; number < CLIENTS; number += 50) {
      const some = Array.from({ length: Math.min(50, CLIENTS - number) }, (_, index) => enter(number + index));
      people.push(...(await Promise.all(some)));
    }
    await until("all are in", () => people.every(({ joined }) => joined));
    for (const node of cluster.nodes) {
      const observers = await Promise.all(cluster.nodes.filter((other) => other !== node).map(observe));
      for (const person of people) Object.assign(person, { acknowledged: [], gone: [], back: [], refused: [] });
      let watching = true;
      const twice = [];
      const watched = (async () => {
        while (watching) {
          const names = await observers[0].names();
          twice.push(...names.filter((name, at) => names.indexOf(name) !== at));
          await pause(FULL ? 1_000 : 100);
        }
      })();

      const began = Date.now();
      await node.stop(); // which checks that it ends by itself, with status 0
      const took = Date.now() - began;
      await until("all are back", () => people.every(({ joined }) => joined), 20_000);
      await node.startAgain();
      watching = false;
      await watched;

      const moved = people.filter(({ gone }) => gone.length > 0);
      assert.ok(moved.length > 5, `${moved.length} clients were on the node`);
      for (const { name, gone, back, refused } of people) {
        assert.ok(gone.length <= 1 && back.length <= 1, `${name} went ${gone.length} times: ${JSON.stringify({ gone, back, refused })}`);
      }
      for (const { name, gone, back, refused } of moved) {
        assert.equal(gone[0].reason, "transport close", name);
        const away = back[0] - gone[0].at;
        assert.ok(away < BACK_MS, `${name} was away for ${away} ms: ${JSON.stringify(refused)}`);
      }
      const going = mostInASecond(moved.map(({ gone }) => gone[0].at));
      const coming = mostInASecond(moved.map(({ back }) => back[0]));
      console.log(`# ${moved.length} moved in ${took} ms; at most ${going} went and ${coming} came in a second`);
      // They are asked evenly over six seconds, and some more after a moment in which a busy machine asked none.
      assert.ok(going <= Math.max((2 * moved.length) / 3, 15), `${going} went in one second`);
      assert.ok(coming <= (FULL ? CLIENTS / 5 : CLIENTS / 3), `${coming} came in one second`);
      assert.deepEqual(twice, [], "no client is shown twice");

      for (const { heard } of observers) {
        const texts = () => new Set(heard.all.map(({ message }) => message));
        await until("what was acknowledged is heard", () => {
          const known = texts();
          return people.every(({ acknowledged }) => acknowledged.every((message) => known.has(message)));
        });
      }
      assert.deepEqual((await observers[0].names()).sort(), people.map(({ name }) => name).sort());
      for (const { socket } of observers) socket.disconnect();
      await pause(TAKEN_BACK_MS);
    }
  });
});
