// Official clients from 3.1 to the newest, over each transport, on default limits; and what a client of version 2 is told.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const require = createRequire(import.meta.url);
const VERSIONS = ["client-3-1", "client-4-0", "client-4-4", "client-4-6", "client-4-7", "socket.io-client"];
const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];
const NAMESPACES = ["/", "/admin", "/custom"];
/** An event may have 1 MB with its name and the placeholder of its attachment. */
const LARGEST = randomBytes(1_000_000 - 100);
const WAIT_MS = 15_000;

const cases = VERSIONS.flatMap((name) => {
  const { version } = require(`${name}/package.json`);
  const { io } = require(name);
  return TRANSPORTS.map((transports) => ({ what: `${version} (${transports.join(", ")})`, io, transports }));
});

const open = (io, url, transports, options) => io(url, { forceNew: true, transports, reconnection: false, ...options });

function happens(socket, event) {
  return within(WAIT_MS, `the event ${event}`, new Promise((resolve) => socket.once(event, resolve)));
}

function connects(socket) {
  const outcome = new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  return within(WAIT_MS, "the client connects", outcome);
}

/** The values of the acknowledgement. */
function echo(socket, ...values) {
  const acknowledged = new Promise((resolve) => socket.emit("echo", ...values, (...answer) => resolve(answer)));
  return within(WAIT_MS, "an acknowledgement", acknowledged);
}

async function assertEchoes(socket, ...values) {
  assert.deepEqual(await echo(socket, ...values), values);
}

async function assertBinary(socket) {
  const small = Buffer.from([0, 1, 2, 253, 254, 255]);
  for (const value of [small, Buffer.alloc(0), { a: [small, { b: Buffer.alloc(0), c: [1, small] }] }, LARGEST]) {
    await assertEchoes(socket, "before", value, "behind");
    const sent = new Promise((resolve) => socket.once("message-back", (...values) => resolve(values)));
    socket.emit("message", value, "behind");
    assert.deepEqual(await within(WAIT_MS, "the event comes back", sent), [value, "behind"]);
  }
}

describe("official clients", { concurrency: true }, () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  for (const { what, io, transports } of cases) {
    test(`${what}: echo, binary, namespaces, leaving and coming back, ends by the server`, async () => {
      const main = open(io, server.url, transports);
      try {
        await connects(main);
        await assertEchoes(main, "text", 1, null, { "größe": ["ü", 1.5] });
        await assertBinary(main);

        const [, admin, custom] = NAMESPACES.map((name) => (name === "/" ? main : main.io.socket(name)));
        await Promise.all([connects(admin), connects(custom)]);
        for (const socket of [main, admin, custom]) await assertEchoes(socket, socket.nsp);

        custom.disconnect();
        custom.connect();
        await connects(custom);
        await assertEchoes(custom, "back");

        const removed = happens(custom, "disconnect");
        custom.emit("kick-me");
        assert.equal(await removed, "io server disconnect");
        await assertEchoes(main, "still here");

        const ended = happens(main, "disconnect");
        main.emit("kick-me");
        assert.equal(await ended, "io server disconnect");
        await assertEchoes(admin, "still here");
        main.connect();
        await connects(main);
        await assertEchoes(main, "again");
        assert.equal(main.io.engine.transport.name, transports.at(-1));
        const left = happens(main, "disconnect");
        main.disconnect();
        assert.equal(await left, "io client disconnect");
      } finally {
        main.io._close?.();
      }
    });
  }

  for (const transports of TRANSPORTS) {
    test(`a client of version 2 gets an error at once (${transports.join(", ")})`, async () => {
      const began = performance.now();
      const socket = open(require("client-2"), server.url, transports);
      try {
        const error = await happens(socket, "connect_error");
        assert.ok(performance.now() - began < 1_000);
        assert.equal(error.message ?? error, transports[0] === "polling" ? "xhr poll error" : "websocket error");
        if (transports[0] === "polling") assert.equal(error.description, 400);
      } finally {
        socket.close();
      }
    });
  }
});

test("official clients of all versions come back after a restart of the server", async () => {
  const server = await Server.start(protocolBinary(), withDefaultLimits());
  const sockets = cases.map(({ what, io, transports }) => {
    const socket = open(io, server.url, transports, { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 1_000 });
    return { what, socket, reasons: [], connects: connects(socket) };
  });
  try {
    for (const client of sockets) {
      await client.connects;
      client.socket.on("disconnect", (reason) => client.reasons.push(reason));
      await assertEchoes(client.socket, client.what);
    }
    await server.stop();
    await until("each client notices", () => sockets.every(({ reasons }) => reasons.length === 1));
    for (const { what, reasons } of sockets) assert.match(reasons[0], /^transport (close|error)$/, what);
    await server.startAgain();
    for (const { what, socket } of sockets) {
      await until(`${what} is back`, () => socket.connected);
      await assertEchoes(socket, what);
    }
  } finally {
    for (const { socket } of sockets) socket.disconnect();
    await server.stop();
  }
});
