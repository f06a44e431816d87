// A slow network or a slow handler is not a dead client, and a dead client is noticed in pingInterval and pingTimeout.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, hear } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Line } from "./support/line.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const TRANSPORTS = ["websocket", "polling"];
const SIZE = 900_000;
const BYTES_PER_SECOND = 100_000;
const TRANSFER_MS = (SIZE / BYTES_PER_SECOND) * 1_000;
const SLACK_MS = 10_000;
const NAP_MS = 4_000;
const EVENTS = 40;

/** Runs with a server of this environment, on default limits otherwise, and a client of it behind a line. */
async function withLine(environment, transport, act) {
  const server = await Server.start(protocolBinary(), withDefaultLimits(environment));
  const line = await Line.to(server.port);
  const clients = new Clients();
  try {
    const socket = await clients.connected(line.url, { transports: [transport] });
    await act({ server, line, socket });
  } finally {
    clients.closeAll();
    line.wake();
    await line.close();
    await server.stop();
  }
}

/** Emits and waits for the acknowledgement, as long as it takes. */
const acknowledged = (socket, ...event) => new Promise((resolve) => socket.emit(...event, resolve));

/** The promise's value, unless the client is disconnected first or it takes too long. */
function connectedUntil(socket, ms, what, promise) {
  const disconnected = new Promise((_, reject) => {
    socket.once("disconnect", (reason) => reject(new Error(`disconnected before ${what}: ${reason}`)));
  });
  return within(ms, what, Promise.race([promise, disconnected]));
}

// Side by side, since they mostly wait.
describe("liveness", { concurrency: true }, () => {
  for (const transport of TRANSPORTS) {
    test(`an upload of 900 kB at 100 kB/s outlasts two pings and ends no connection (${transport})`, () =>
      withLine({ ROOMWIRE_PING_INTERVAL: "3000" }, transport, async ({ line, socket }) => {
        line.limit({ up: BYTES_PER_SECOND });
        const began = performance.now();
        const image = Buffer.alloc(SIZE, 7);
        const echoed = await connectedUntil(socket, TRANSFER_MS + SLACK_MS, "the echo of the upload", acknowledged(socket, "echo", image));
        assert.ok(performance.now() - began > TRANSFER_MS / 2, "the line is slow");
        assert.ok(image.equals(echoed));
        line.limit({});
        assert.equal(await ask(socket, "echo", "still here"), "still here");
      }));

    // Official clients give up by themselves when no ping arrives for pingInterval and pingTimeout.
    test(`a download of 900 kB at 100 kB/s outlasts a ping and ends no connection (${transport})`, () =>
      withLine({ ROOMWIRE_PING_INTERVAL: "6000" }, transport, async ({ line, socket }) => {
        const heard = new Promise((resolve) => socket.once("numbered", resolve));
        line.limit({ down: BYTES_PER_SECOND });
        const began = performance.now();
        socket.emit("burst", { count: 1, bytes: SIZE });
        const { padding } = await connectedUntil(socket, TRANSFER_MS + SLACK_MS, "the download", heard);
        assert.ok(performance.now() - began > TRANSFER_MS / 2, "the line is slow");
        assert.equal(padding.length, SIZE);
        line.limit({});
        assert.equal(await ask(socket, "echo", "still here"), "still here");
      }));

    test(`events that wait in a full mailbox for longer than pingTimeout end no connection (${transport})`, () => {
      const environment = { ROOMWIRE_PING_INTERVAL: "1000", ROOMWIRE_PING_TIMEOUT: "2000", ROOMWIRE_LIMITS__MAILBOX: "16" };
      return withLine(environment, transport, async ({ socket }) => {
        const order = [];
        const answers = [acknowledged(socket, "slow", 8_000).then(() => order.push("slow"))];
        for (let number = 0; number < 60; number += 1) {
          const answer = acknowledged(socket, "echo", number, "x".repeat(5_000));
          answers.push(answer.then(() => order.push(number)));
        }
        await connectedUntil(socket, 8_000 + SLACK_MS, "all acknowledgements", Promise.all(answers));
        assert.deepEqual(order, ["slow", ...Array.from({ length: 60 }, (_, number) => number)]);
        assert.equal(await ask(socket, "echo", "still here"), "still here");
      });
    });

    test(`a client that sleeps for less than pingTimeout, a ping among what it misses, gets all events once and in order (${transport})`, () => {
      const environment = { ROOMWIRE_PING_INTERVAL: "1500", ROOMWIRE_PING_TIMEOUT: "5000" };
      return withLine(environment, transport, async ({ server, line, socket }) => {
        const [heard, disconnects] = [hear(socket, "numbered"), hear(socket, "disconnect")];
        socket.emit("burst", { count: EVENTS, bytes: 100, pauseMs: NAP_MS / EVENTS - 20 });
        await heard.first("the first event");
        line.sleep();
        await pause(NAP_MS);
        assert.equal((await server.json("/state")).clients, 1);
        assert.ok(heard.all.length < EVENTS, "it sleeps while events are sent");
        line.wake();
        assert.equal(await ask(socket, "echo", "awake"), "awake");
        assert.deepEqual(heard.all.map(({ number }) => number), Array.from({ length: EVENTS }, (_, number) => number));
        assert.deepEqual(disconnects.all, []);
      });
    });

    test(`a peer that is dead is disconnected in pingInterval and pingTimeout (${transport})`, () => {
      const environment = { ROOMWIRE_PING_INTERVAL: "1500", ROOMWIRE_PING_TIMEOUT: "1000" };
      return withLine(environment, transport, async ({ server, line }) => {
        const clientCount = async () => (await server.json("/state")).clients;
        assert.equal(await clientCount(), 1);
        line.sleep();
        const began = performance.now();
        await until("the peer is disconnected", async () => (await clientCount()) === 0, 1_500 + 1_000 + 500);
        assert.ok(performance.now() - began > 900, "it had its time");
      });
    });

    test(`a peer that is dead while it is sent an event is disconnected in pingInterval and pingTimeout (${transport})`, () => {
      const environment = { ROOMWIRE_PING_INTERVAL: "1500", ROOMWIRE_PING_TIMEOUT: "1000" };
      return withLine(environment, transport, async ({ server, line, socket }) => {
        socket.emit("burst", { count: 100, bytes: 1_000, pauseMs: 50 });
        await new Promise((resolve) => socket.once("numbered", resolve));
        line.sleep();
        const isGone = async () => (await server.json("/state")).clients === 0;
        await until("the peer is disconnected", isGone, 1_500 + 1_000 + 500);
      });
    });
  }
});
