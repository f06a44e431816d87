// What a node counts is what two hundred official clients counted themselves.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, Clients } from "./support/clients.mjs";
import { chatBinary } from "./support/environment.mjs";
import { freePort, Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const CLIENTS = 200;
const STEPS = 20;
const ROOMS = 20;

/** Pseudo-random and the same in every run: a number below `limit`. */
function dice(seed) {
  let state = seed * 2_654_435_761 + 1;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
}

describe("the totals of the metrics", () => {
  let server;
  let metricsUrl;
  const clients = new Clients();

  before(async () => {
    const port = await freePort();
    metricsUrl = `http://127.0.0.1:${port}/metrics`;
    server = await Server.start(chatBinary(), { ROOMWIRE_CHAT_OPERATIONS_PORT: `${port}` });
  });
  after(async () => {
    clients.closeAll();
    await server?.stop();
  });

  /** The value of each sample by its name with labels, without those that are zero. */
  async function metrics() {
    const text = await (await fetch(metricsUrl)).text();
    const samples = text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => line.split(/ (?=\S+$)/));
    return Object.fromEntries(samples.map(([name, value]) => [name, Number(value)]).filter(([, value]) => value !== 0));
  }

  const labelled = (samples, name) =>
    Object.fromEntries(
      Object.entries(samples)
        .filter(([sample]) => sample.startsWith(`${name}{`))
        .map(([sample, value]) => [sample.slice(name.length + 1, -1).replaceAll('"', "").replace(/^\w+=/, ""), value]),
    );

  /** Connects, and counts all that it sends and gets. */
  async function enter(number) {
    const transports = number % 4 === 0 ? ["polling"] : ["websocket"];
    const socket = clients.open(server.url, { transports, auth: { name: `person ${number}` } });
    const person = { socket, transport: transports[0], rooms: new Set(), sent: 0, heard: 0, outcomes: {} };
    socket.onAny(() => (person.heard += 1));
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
    return person;
  }

  async function send(person, event, ...values) {
    person.sent += 1;
    const answer = await ask(person.socket, event, ...values);
    const outcome = answer?.error?.code ?? "OK";
    person.outcomes[outcome] = (person.outcomes[outcome] ?? 0) + 1;
    return outcome;
  }

  async function act(person, roll) {
    const room = `hall ${roll(ROOMS)}`;
    switch (roll(8)) {
      case 0:
      case 1:
        if ((await send(person, "join-room", room)) === "OK") person.rooms.add(room);
        break;
      case 2:
        if ((await send(person, "leave-room", room)) === "OK") person.rooms.delete(room);
        break;
      case 3:
      case 4:
        await send(person, "send-message", { room: [...person.rooms][0] ?? room, message: "hello" });
        break;
      case 5:
        await send(person, "send-message", { nothing: true });
        break;
      case 6:
        await send(person, "join-room", "archive");
        break;
      default:
        await send(person, "no-such-event");
    }
  }

  /** Everything that was sent to a client before is there when its answer is. */
  const settle = (people) => Promise.all(people.map((person) => send(person, "list-rooms")));
  const sum = (people, count) => people.reduce((total, person) => total + count(person), 0);

  function outcomesOf(people) {
    const outcomes = {};
    for (const person of people) {
      for (const [outcome, count] of Object.entries(person.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    }
    return outcomes;
  }

  test("after joins, leaves, messages, errors, goodbyes and kills", async () => {
    const people = [];
    for (let number = 0; number < CLIENTS; number += 50) {
      people.push(...(await Promise.all(Array.from({ length: 50 }, (_, index) => enter(number + index)))));
    }
    await Promise.all(
      people.map(async (person, number) => {
        const roll = dice(number + 1);
        for (let step = 0; step < STEPS; step += 1) await act(person, roll);
      }),
    );
    await settle(people);

    let counted = await metrics();
    const members = sum(people, ({ rooms }) => rooms.size);
    assert.deepEqual(
      {
        connected: counted.roomwire_clients_connected_total,
        present: counted.roomwire_clients,
        sessions: labelled(counted, "roomwire_sessions"),
        received: counted.roomwire_events_received_total,
        outcomes: labelled(counted, "roomwire_events_total"),
        answers: counted.roomwire_acknowledgements_queued_total,
        messages: counted.roomwire_messages_queued_total,
        dropped: labelled(counted, "roomwire_messages_dropped_total"),
        memberships: counted.roomwire_memberships,
        rooms: counted.roomwire_rooms,
      },
      {
        connected: CLIENTS,
        present: CLIENTS,
        sessions: { polling: CLIENTS / 4, websocket: (CLIENTS * 3) / 4 },
        received: sum(people, ({ sent }) => sent),
        outcomes: outcomesOf(people),
        answers: sum(people, ({ sent }) => sent),
        messages: sum(people, ({ heard }) => heard),
        dropped: {},
        memberships: members,
        rooms: new Set(people.flatMap(({ rooms }) => [...rooms])).size,
      },
    );
    assert.ok(Object.keys(outcomesOf(people)).length >= 5, JSON.stringify(outcomesOf(people)));

    // A quarter is killed, without a close frame; a quarter says goodbye.
    const onWebsocket = people.filter(({ transport }) => transport === "websocket");
    const killed = onWebsocket.slice(0, 50);
    const goodbyes = onWebsocket.slice(50, 100);
    const left = people.filter((person) => !killed.includes(person) && !goodbyes.includes(person));
    for (const { socket } of killed) socket.io.engine.transport.ws.terminate();
    for (const { socket } of goodbyes) socket.disconnect();
    await until("they are gone", async () => (await metrics()).roomwire_clients === left.length);
    await until("the others have heard of it", async () => {
      await settle(left);
      counted = await metrics();
      return counted.roomwire_memberships === sum(left, ({ rooms }) => rooms.size);
    });
    assert.deepEqual(labelled(counted, "roomwire_clients_disconnected_total"), {
      "client disconnected": goodbyes.length,
      "connection lost": killed.length,
    });
    assert.deepEqual(labelled(counted, "roomwire_sessions"), { polling: CLIENTS / 4, websocket: left.length - CLIENTS / 4 });
    assert.deepEqual(labelled(counted, "roomwire_events_total"), outcomesOf(people));
    assert.equal(counted.roomwire_events_received_total, sum(people, ({ sent }) => sent));
  });
});
