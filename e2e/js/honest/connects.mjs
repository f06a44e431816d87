// Pages that are reloaded, mounted twice and closed while they connect: the connection that is wanted stands within a second.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { io } from "socket.io-client";
import { ask, Clients, connection } from "../support/clients.mjs";
import { DefaultServer } from "../support/default-server.mjs";
import { withinASecond } from "../support/elapsed.mjs";
import { until } from "../support/wait.mjs";

const TRANSPORTS = [["polling", "websocket"], ["websocket"]];
const TABS = 12;
// All pages of this file together begin fewer connections at once than limits.reconnectBurst.
const TIMES = 3;

/** What a tab waits for before it is closed: each is a step on the way to the connection. */
const STEPS = {
  "the same tick": () => Promise.resolve(),
  "the next tick": () => pause(0),
  "a request on its way": () => pause(3),
  "the handshake": ({ io: manager }) => new Promise((resolve) => manager.once("open", resolve)),
  "a moment after the handshake": async (tab) => (await STEPS["the handshake"](tab), await pause(2)),
  "the connection and, over polling, an upgrade that began": (tab) => new Promise((resolve) => tab.once("connect", resolve)),
};

export function connects(state) {
  describe(`pages that come and go, state in ${state}`, { concurrency: 4 }, () => {
    let server;
    const clients = new Clients();

    before(async () => {
      server = await DefaultServer.in(state);
    });
    after(async () => {
      clients.closeAll();
      try {
        await until("no client of a page that went is left", async () => (await server.json("/state")).clients === 0, 45_000);
        assert.deepEqual(server.warnings, []);
      } finally {
        await server?.stopAll();
      }
    });

    for (const transports of TRANSPORTS) {
      test(`a page that is reloaded twenty times in fifteen seconds connects within a second each time (${transports})`, async () => {
        for (let load = 0; load < 20; load += 1) {
          const socket = clients.open(server.url, { transports });
          await withinASecond(`load ${load}`, connection(socket));
          await pause(700);
          socket.disconnect();
        }
      });

      test(`a component that mounts, unmounts and mounts in one tick is connected within a second, ten times (${transports})`, async () => {
        for (let time = 0; time < 10; time += 1) {
          const socket = clients.open(server.url, { transports });
          socket.disconnect();
          await withinASecond(`time ${time}`, connection(socket.connect()));
          assert.equal(await ask(socket, "echo", time), time);
          socket.disconnect();
        }
      });

      test(`a component that makes its client anew each time it mounts is connected within a second, ten times (${transports})`, async () => {
        for (let time = 0; time < 10; time += 1) {
          // With the connections that the client library shares by itself.
          const mount = () => io(server.url, { transports, reconnection: false });
          const [first, unexpected] = [mount(), []];
          first.on("connect", () => unexpected.push("connect")).on("connect_error", (error) => unexpected.push(error));
          first.disconnect();
          const socket = mount();
          await withinASecond(`time ${time}`, connection(socket));
          assert.equal(await ask(socket, "echo", time), time);
          assert.deepEqual(unexpected, []);
          socket.disconnect();
        }
      });

      test(`twelve tabs opened at once are connected within a second, half of them close, the others stay (${transports})`, async () => {
        const tabs = Array.from({ length: TABS }, () => clients.open(server.url, { transports }));
        await Promise.all(tabs.map((tab, number) => withinASecond(`tab ${number}`, connection(tab))));
        tabs.slice(TABS / 2).forEach((tab) => tab.disconnect());
        for (const tab of tabs.slice(0, TABS / 2)) assert.equal(await ask(tab, "echo", "here"), "here");
        tabs.forEach((tab) => tab.disconnect());
      });

      test(`of twelve tabs half close at each step of connecting, and the others are connected within a second (${transports})`, async () => {
        for (let time = 0; time < TIMES; time += 1) {
          const closed = Object.entries(STEPS).map(async ([step, reached]) => {
            const tab = clients.open(server.url, { transports });
            tab.once("connect_error", (error) => assert.fail(`a tab that closes at ${step}: ${error.message}`));
            await reached(tab);
            tab.disconnect();
          });
          const others = Array.from({ length: TABS / 2 }, () => clients.open(server.url, { transports }));
          await Promise.all(others.map((tab, number) => withinASecond(`tab ${number}`, connection(tab))));
          await Promise.all(closed);
          for (const tab of others) assert.equal(await ask(tab, "echo", "here"), "here");
          others.forEach((tab) => tab.disconnect());
        }
      });
    }
  });
}
