// Many honest clients behind one address, on default limits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Clients, connection } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Nginx } from "./support/nginx.mjs";
import { Server } from "./support/server.mjs";

/** Runs with a server and clients of its own. */
async function withServer(act) {
  const server = await Server.start(protocolBinary(), withDefaultLimits());
  const clients = new Clients();
  try {
    return await act(server, clients);
  } finally {
    clients.closeAll();
    await server.stop();
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

const warnings = (server) => server.log.match(/^.*WARN.*$/gm) ?? [];

describe("many clients of one address", () => {
  test("four hundred connect, stay, and the routes of the app are served", () =>
    withServer(async (server, clients) => {
      const sockets = await connectAll(clients, server.url, 400);
      for (let probe = 0; probe < 20; probe += 1) assert.equal(await server.get("/"), "ok");
      assert.ok(sockets.every((socket) => socket.connected));
      assert.deepEqual(warnings(server), []);
    }));

  test("three hundred connect through nginx that is not trusted, and one warning names it", () =>
    withServer(async (server, clients) => {
      const nginx = await Nginx.start({ target: server.port });
      try {
        const sockets = await connectAll(clients, `http://127.0.0.1:${nginx.port}`, 300);
        assert.ok(sockets.every((socket) => socket.connected));
        const [warning, ...others] = warnings(server);
        assert.deepEqual(others, []);
        assert.match(warning, /trustedProxies = \["127\.0\.0\.1"\]/);
        clients.closeAll();
      } finally {
        await nginx.stop();
      }
    }));

  test("thirty bots with a short session every two seconds keep none of twenty newcomers out", () =>
    withServer(async (server, clients) => {
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
        await pause(4_000);
        for (let newcomer = 0; newcomer < 20; newcomer += 1) {
          const began = performance.now();
          await connection(clients.open(server.url));
          const ms = performance.now() - began;
          assert.ok(ms < 1_000, `newcomer ${newcomer} took ${ms} ms`);
          await pause(500);
        }
      } finally {
        goesOn = false;
        await Promise.all(bots);
      }
      assert.deepEqual(warnings(server), []);
    }));
});
