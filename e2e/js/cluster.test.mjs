// Three nodes behind nginx, as examples/cluster/nginx.conf sets it up: one chat to clients, also when a node is killed.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, hear, nextConnection } from "./support/clients.mjs";
import { Cluster } from "./support/cluster.mjs";
import { until } from "./support/wait.mjs";

// The lease of 10 s, the heartbeat of 2 s that notices its end, and the time to clean up.
const LOSS_MS = 15_000;

const WAYS = {
  polling: (clients, url, options) => clients.connected(url, { ...options, transports: ["polling"] }),
  websocket: (clients, url, options) => clients.connected(url, { ...options, transports: ["websocket"] }),
  upgrade: (clients, url, options) => clients.upgraded(url, options),
};

describe("a chat of three nodes", () => {
  let cluster;
  const clients = new Clients();

  before(async () => {
    cluster = await Cluster.start(3);
  });
  afterEach(() => clients.closeAll());
  after(() => cluster?.stop());

  async function enter(node, way, options = {}) {
    const name = `${node} ${way}`;
    const socket = await WAYS[way](clients, cluster.url, { ...(await cluster.way(node, clients)), auth: { name }, ...options });
    return { name, node, socket, heard: hear(socket, "new-message"), left: hear(socket, "user-left") };
  }

  /** One over each transport on each of the nodes. */
  async function everybody() {
    const people = [];
    for (const node of cluster.nodes) for (const way of Object.keys(WAYS)) people.push(await enter(node, way));
    return people;
  }

  test("who speaks is heard once by everybody in the room, on every node and over every transport", async () => {
    const people = await everybody();
    for (const { socket } of people) await ask(socket, "join-room", "all");
    const said = [];
    for (const { name, socket } of people) {
      for (const number of [1, 2, 3]) {
        const message = `${name} ${number}`;
        said.push(message);
        assert.ok((await ask(socket, "send-message", { room: "all", message })).timestamp);
      }
    }
    for (const { name, heard } of people) {
      const texts = () => heard.all.map(({ message }) => message);
      await until(`${name} has heard all of it`, () => said.every((message) => texts().includes(message)));
      assert.equal(heard.all.length, said.length, `${name} hears each message once`);
      for (const speaker of people) {
        const inOrder = texts().filter((message) => message.startsWith(`${speaker.name} `));
        assert.deepEqual(inOrder, [1, 2, 3].map((number) => `${speaker.name} ${number}`), `${name} hears ${speaker.name} in order`);
      }
    }
  });

  test("the rooms and who is in them are the same on every node", async () => {
    const people = await everybody();
    for (const { socket } of people) await ask(socket, "join-room", "same");
    const ids = people.map(({ socket }) => socket.id).sort();
    for (const { socket } of people) {
      const { members } = await ask(socket, "join-room", "same");
      assert.deepEqual(members.map(({ userId }) => userId).sort(), ids);
      const listed = (await ask(socket, "list-rooms")).find(({ room }) => room === "same");
      assert.equal(listed.members, people.length);
    }
  });

  test("the last seat is given once, whichever nodes ask for it", async () => {
    const people = await everybody();
    const answers = await Promise.all(people.map(({ socket }) => ask(socket, "join-room", "duo")));
    const refused = answers.filter(({ error }) => error).map(({ error }) => error.code);
    assert.deepEqual(refused, Array.from({ length: people.length - 2 }, () => "ROOM_FULL"));
  });
});

describe("a chat of three nodes of which one is killed", () => {
  let cluster;
  const clients = new Clients();

  before(async () => {
    cluster = await Cluster.start(3);
  });
  after(async () => {
    clients.closeAll();
    await cluster?.stop();
  });

  test("its clients leave once, come back elsewhere and are heard again; nobody else notices more than that", async () => {
    const [doomed, ...others] = cluster.nodes;
    const enter = async (node, way, name) => {
      const options = { ...(await cluster.way(node, clients)), auth: { name }, reconnection: true, reconnectionDelay: 200 };
      const socket = await WAYS[way](clients, cluster.url, options);
      const [left, heard, ends, welcomes] = ["user-left", "new-message", "disconnect", "welcome"].map((event) => hear(socket, event));
      return { name, node, socket, left, heard, ends, welcomes };
    };
    const survivors = [];
    for (const node of others) survivors.push(await enter(node, "websocket", `survivor on ${node}`));
    const movers = [];
    for (const way of Object.keys(WAYS)) movers.push(await enter(doomed, way, `mover by ${way}`));
    const rooms = ["first", "second"];
    for (const { socket } of [...survivors, ...movers]) for (const room of rooms) await ask(socket, "join-room", room);
    const gone = movers.flatMap(({ socket }) => rooms.map((room) => `${room}: ${socket.id}`)).sort();
    const formerIds = new Set(movers.map(({ socket }) => socket.id));

    const back = Promise.all(movers.map(({ socket }) => nextConnection(socket)));
    const killed = Date.now();
    await cluster.kill(doomed);
    await back;
    for (const { name, socket, welcomes } of movers) {
      const { node } = await welcomes.first(`${name} is welcome elsewhere`, ({ node }) => node !== doomed);
      assert.ok(others.includes(node), `${name} is on ${node}`);
      assert.ok(!formerIds.has(socket.id));
      for (const room of rooms) await ask(socket, "join-room", room);
    }

    const lost = ({ left }) => left.all.map(({ room, userId }) => `${room}: ${userId}`).sort();
    for (const survivor of survivors) {
      const remaining = Math.max(1, killed + LOSS_MS - Date.now());
      await until(`${survivor.name} hears who left`, () => lost(survivor).length >= gone.length, remaining);
    }
    // What is said after a departure is heard after it, so that a second report of it would have been heard by now.
    for (const speaker of [...survivors, ...movers]) {
      for (const room of rooms) await ask(speaker.socket, "send-message", { room, message: `${speaker.name} in ${room}` });
    }
    for (const { name, heard } of [...survivors, ...movers]) {
      for (const speaker of [...survivors, ...movers]) {
        for (const room of rooms) {
          const message = `${speaker.name} in ${room}`;
          await heard.first(`${name} hears ${message}`, (said) => said.message === message);
        }
      }
    }
    for (const survivor of survivors) {
      assert.deepEqual(lost(survivor), gone, `${survivor.name} hears of each departure once`);
      assert.deepEqual([...new Set(survivor.left.all.map(({ reason }) => reason))], ["node lost"]);
      assert.deepEqual(survivor.ends.all, [], `${survivor.name} stayed connected`);
    }
    const present = [...survivors, ...movers].map(({ socket }) => socket.id).sort();
    for (const room of rooms) {
      const { members } = await ask(survivors[0].socket, "join-room", room);
      assert.deepEqual(members.map(({ userId }) => userId).sort(), present);
    }
  });
});
