// Networks that change and laptops that are closed: clients come back by themselves, once each.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, hear, nextConnection } from "../support/clients.mjs";
import { DefaultServer } from "../support/default-server.mjs";
import { Line } from "../support/line.mjs";
import { until } from "../support/wait.mjs";

const TRANSPORTS = [["polling", "websocket"], ["websocket"], ["polling"]];

const nap = async (line, ms) => {
  line.sleep();
  await pause(ms);
  line.wake();
};

/** The connections that are open lead nowhere. Over polling a request must be on its way: the next one takes the new network. */
async function change(line, { io: manager }) {
  const transport = manager.opts.transports.at(-1);
  await until("the transport is the last one", () => manager.engine.transport.name === transport);
  if (transport === "polling") await until("a request waits for an answer", () => line.isAsked);
  line.forget();
}

/** What happens to the line, and how often the connection ends by it. A ping is sent 25 s after the connection was made. */
const INTERRUPTIONS = {
  "another network": { interrupt: change, ends: 1 },
  "another network and back": {
    interrupt: async (line, socket) => {
      await change(line, socket);
      await nextConnection(socket, 60_000);
      await change(line, socket);
    },
    ends: 2,
  },
  "a nap of 20 s": { interrupt: (line) => nap(line, 20_000), ends: 0 },
  "a nap of 20 s with a ping in it": { interrupt: async (line) => (await pause(15_000), await nap(line, 20_000)), ends: 1 },
  "a nap of 2 minutes": { interrupt: (line) => nap(line, 120_000), ends: 1 },
};

export function networks(state) {
  describe(`networks that change, state in ${state}`, () => {
    let server;
    const clients = new Clients();
    const lines = [];

    before(async () => {
      server = await DefaultServer.in(state);
    });
    after(async () => {
      clients.closeAll();
      await Promise.all(lines.map((line) => line.close()));
      await server?.stopAll();
    });

    test("clients come back by themselves after another network, naps of 20 s and one of two minutes; no ghost stays", async () => {
      const cases = TRANSPORTS.flatMap((transports) =>
        Object.entries(INTERRUPTIONS).map(([what, { interrupt, ends }]) => ({ what: `${what} (${transports})`, transports, interrupt, ends })));
      await Promise.all(cases.map(async ({ what, transports, interrupt, ends }) => {
        const line = await Line.to(server.port);
        lines.push(line);
        const socket = clients.open(line.url, { reconnection: true, transports });
        const disconnects = hear(socket, "disconnect");
        socket.on("connect", () => socket.emit("join", what));
        await nextConnection(socket);
        assert.equal(await ask(socket, "join", what), null);
        await interrupt(line, socket);
        await until(`${what}: the client notices`, () => disconnects.all.length >= ends, 60_000);
        if (!socket.connected) await nextConnection(socket);
        assert.equal(await ask(socket, "echo", what), what);
        assert.equal(await ask(socket, "join", what), null);
      }));
      // Until the server has noticed the connections that are gone: pingInterval and pingTimeout.
      await until("one client is left of each, and one room", async () => {
        const { clients: left, rooms } = await server.json("/state");
        return left === cases.length && rooms === cases.length;
      }, 45_000);
      clients.closeAll();
      await until("each Joined has one Left, each connection one end", async () => {
        const { events, handlers } = await server.json("/stays");
        return Object.keys(events).length === 0 && handlers.length === 0;
      }, 45_000);
      assert.deepEqual((await server.json("/stays")).outOfTurn, []);
      assert.deepEqual(server.warnings, []);
    });
  });
}
