// Many honest clients behind one address, on default limits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, connection } from "./support/clients.mjs";
import { DefaultServer, STATES } from "./support/default-server.mjs";
import { withinASecond } from "./support/elapsed.mjs";
import { Nginx } from "./support/nginx.mjs";

/** Runs with a server and clients of its own. */
async function withServer(state, act) {
  const server = await DefaultServer.in(state);
  const clients = new Clients();
  try {
    return await act(server, clients);
  } finally {
    clients.closeAll();
    await server.stopAll();
  }
}

/** So many clients that stay, fifty at a time: all of them live in this one process. Most use websockets alone. */
async function connectAll(clients, url, count) {
  const sockets = [];
  while (sockets.length < count) {
    const wave = Array.from({ length: Math.min(50, count - sockets.length) }, (_, nth) =>
      clients.open(url, nth % 10 === 0 ? {} : { transports: ["websocket"] }));
    await Promise.all(wave.map(connection));
    sockets.push(...wave);
  }
  return sockets;
}

for (const state of STATES) {
  describe(`many clients of one address, state in ${state}`, () => {
    test("four hundred connect, stay, and the routes of the app are served", () =>
      withServer(state, async (server, clients) => {
        const sockets = await connectAll(clients, server.url, 400);
        for (let probe = 0; probe < 20; probe += 1) assert.equal(await server.get("/"), "ok");
        assert.ok(sockets.every((socket) => socket.connected));
        assert.deepEqual(server.warnings, []);
      }));

    test("three hundred connect through nginx that is not trusted, and one warning names it", () =>
      withServer(state, async (server, clients) => {
        const nginx = await Nginx.start({ target: server.port });
        try {
          const sockets = await connectAll(clients, `http://127.0.0.1:${nginx.port}`, 300);
          assert.ok(sockets.every((socket) => socket.connected));
          const [warning, ...others] = server.warnings;
          assert.deepEqual(others, []);
          assert.match(warning, /trustedProxies = \["127\.0\.0\.1"\]/);
          clients.closeAll();
        } finally {
          await nginx.stop();
        }
      }));
  });
}

// Side by side, since they mostly wait.
describe("bots and newcomers of one address", { concurrency: true }, () => {
  for (const state of STATES) {
    test(`thirty bots with a short session every two seconds keep none of twenty newcomers at once out, state in ${state}`, () =>
      withServer(state, async (server, clients) => {
        let goesOn = true;
        const bots = Array.from({ length: 30 }, async (_, bot) => {
          await pause(bot * 66);
          while (goesOn) {
            const socket = clients.open(server.url, { transports: ["websocket"] });
            socket.once("connect", () => socket.disconnect());
            await pause(2_000);
          }
        });
        try {
          for (let time = 0; time < 4; time += 1) {
            await pause(3_000);
            const newcomers = Array.from({ length: 20 }, () => clients.open(server.url));
            await Promise.all(newcomers.map((socket, number) => withinASecond(`newcomer ${number} of time ${time}`, connection(socket))));
            for (const socket of newcomers) assert.equal(await ask(socket, "echo", "here"), "here");
          }
        } finally {
          goesOn = false;
          await Promise.all(bots);
        }
        assert.deepEqual(server.warnings, []);
      }));
  }
});
