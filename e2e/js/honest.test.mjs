// What honest people do at their worst moment, on default limits: nothing is refused, lost or late.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask, Clients, connection, hear, nextConnection } from "./support/clients.mjs";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { Line } from "./support/line.mjs";
import { Redis } from "./support/redis.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const IMAGE = "x".repeat(900_000);

/** How many milliseconds it took. */
async function took(act) {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

const STATES = ["memory", "Redis"];

// Side by side, since they mostly wait.
describe("honest use", { concurrency: 4 }, () => {
  for (const state of STATES) {
    describe(`honest use, state in ${state}`, () => {
      let redis, server;
      const clients = new Clients();
      const start = () => Server.start(protocolBinary(), withDefaultLimits(redis ? { ROOMWIRE_STATE__URLS: redis.url } : {}));

      before(async () => {
        if (state === "Redis") redis = await Redis.start();
        server = await start();
      });
      after(async () => {
        clients.closeAll();
        await server?.stop();
        await redis?.stop();
      });

      for (const transports of [["polling", "websocket"], ["websocket"]]) {
        test(`a page that is reloaded twenty times in fifteen seconds connects within a second each time (${transports})`, async () => {
          for (let load = 0; load < 20; load += 1) {
            const socket = clients.open(server.url, { transports });
            const ms = await took(() => connection(socket));
            assert.ok(ms < 1_000, `load ${load} took ${ms} ms`);
            await pause(700);
            socket.disconnect();
          }
        });
      }

      test("a component that mounts, unmounts and mounts in one tick is connected within a second, ten times", async () => {
        for (let time = 0; time < 10; time += 1) {
          const socket = clients.open(server.url, { transports: ["websocket"] });
          socket.disconnect();
          const ms = await took(() => connection(socket.connect()));
          assert.ok(ms < 1_000, `time ${time} took ${ms} ms`);
          socket.disconnect();
        }
      });

      test("of twelve tabs opened at once and half of them closed, all connect within a second, and the others stay", async () => {
        const tabs = Array.from({ length: 12 }, () => clients.open(server.url));
        const ms = await took(() => Promise.all(tabs.map(connection)));
        assert.ok(ms < 1_000, `${ms} ms`);
        tabs.slice(0, 6).forEach((tab) => tab.disconnect());
        for (const tab of tabs.slice(6)) assert.equal(await ask(tab, "echo", "here"), "here");
        tabs.forEach((tab) => tab.disconnect());
      });

      test("fifty rooms that on_connect joins keep the first event waiting for less than a second", async () => {
        const socket = await clients.connected(`${server.url}/fifty-rooms`, { transports: ["websocket"] });
        const ms = await took(() => ask(socket, "echo", "first"));
        assert.ok(ms < 1_000, `${ms} ms`);
        const { rooms } = await server.json("/state/fifty-rooms");
        assert.equal(rooms, 50);
        socket.disconnect();
      });

      test("a hundred rooms asked for at once are all joined within a second", async () => {
        const socket = await clients.connected(server.url, { transports: ["websocket"] });
        const ms = await took(async () => {
          const answers = await Promise.all(Array.from({ length: 100 }, (_, room) => ask(socket, "join", `room-${room}`)));
          assert.deepEqual(new Set(answers), new Set([null]));
        });
        assert.ok(ms < 1_000, `${ms} ms`);
        socket.disconnect();
      });

      test("a minute of cursor, scrolling, typing and presence, with two hundred events in one tick, is all handled", async () => {
        const socket = await clients.connected(server.url, { transports: ["websocket"] });
        const refusals = hear(socket, "error");
        const answers = Array.from({ length: 200 }, (_, number) => ask(socket, "echo", number));
        const began = performance.now();
        let frames = 0;
        // By the clock: a pause may take longer than it should.
        while (performance.now() - began < 60_000) {
          for (; frames < ((performance.now() - began) * 60) / 1000; frames += 1) {
            socket.emit("echo", { x: frames });
            if (frames % 2 === 0) socket.emit("echo", { scroll: frames });
            if (frames % 30 === 0) socket.emit("echo", { typing: true });
            if (frames % 300 === 0) socket.emit("echo", { presence: "here" });
          }
          await pause(16);
        }
        assert.ok(frames >= 3_600, `${frames} frames`);
        assert.deepEqual(await Promise.all(answers), Array.from({ length: 200 }, (_, number) => number));
        assert.equal(await ask(socket, "echo", "last"), "last");
        assert.deepEqual(refusals.all, []);
        socket.disconnect();
      });

      for (const transport of ["polling", "websocket"]) {
        test(`five images of 900 kB one after another arrive at the others of the room (${transport})`, async () => {
          const [sender, member] = [await clients.connected(server.url, { transports: [transport] }), await clients.connected(server.url)];
          const heard = hear(member, "binary");
          const room = `images-${transport}`;
          await ask(member, "join", room);
          const sent = Array.from({ length: 5 }, () => ask(sender, "binary-to-room", { room, data: Buffer.from(IMAGE) }));
          assert.deepEqual(await Promise.all(sent), [null, null, null, null, null]);
          await until("five images arrive", () => heard.all.length === 5);
          assert.ok(heard.all.every(({ data }) => data.length === IMAGE.length));
          assert.ok(sender.connected && member.connected);
          [sender, member].forEach((socket) => socket.disconnect());
        });

        for (const way of ["up", "down"]) {
          test(`900 kB at 100 kB/s ${way} arrive and disconnect no client (${transport})`, async () => {
            const line = await Line.to(server.port);
            const [slow, fast] = [await clients.connected(line.url, { transports: [transport] }), await clients.connected(server.url)];
            const [sender, receiver] = way === "up" ? [slow, fast] : [fast, slow];
            const ends = hear(slow, "disconnect");
            const heard = hear(receiver, "binary");
            const room = `slow-${transport}-${way}`;
            await ask(receiver, "join", room);
            line.limit({ [way]: 100_000 });
            sender.emit("binary-to-room", { room, data: Buffer.from(IMAGE) });
            await heard.first("the image", ({ data }) => data.length === IMAGE.length, 20_000);
            assert.deepEqual(ends.all, []);
            [slow, fast].forEach((socket) => socket.disconnect());
            await line.close();
          });
        }
      }

      test("events behind a handler of twelve seconds are handled after it, in order, and the connection stays", async () => {
        const socket = await clients.connected(server.url);
        const order = [];
        const answer = (name, ...values) => new Promise((resolve) => socket.emit(...values, () => resolve(order.push(name))));
        const answers = [answer("slow", "slow", 12_000)];
        for (let number = 0; number < 100; number += 1) answers.push(answer(number, "echo", number));
        const ms = await took(() => Promise.all(answers));
        assert.deepEqual(order, ["slow", ...Array.from({ length: 100 }, (_, number) => number)]);
        assert.ok(ms > 11_900, `${ms} ms`);
        socket.disconnect();
      });
    });

    describe(`networks that change, state in ${state}`, () => {
      let redis, server;
      const clients = new Clients();

      before(async () => {
        if (state === "Redis") redis = await Redis.start();
        server = await Server.start(protocolBinary(), withDefaultLimits(redis ? { ROOMWIRE_STATE__URLS: redis.url } : {}));
      });
      after(async () => {
        clients.closeAll();
        await server?.stop();
        await redis?.stop();
      });

      test("a client comes back by itself after another network, a nap of 20 s and one of two minutes; no ghost stays", async () => {
        const interruptions = [
          ["another network", async (line) => line.forget(), 1],
          ["20 s", async (line) => (line.sleep(), await pause(20_000), line.wake()), 0],
          ["2 minutes", async (line) => (line.sleep(), await pause(120_000), line.wake()), 1],
        ];
        const lines = await Promise.all(interruptions.map(async ([what, interrupt, breaks]) => {
          const line = await Line.to(server.port);
          const socket = await clients.connected(line.url, { reconnection: true, transports: ["websocket"] });
          const ends = hear(socket, "disconnect");
          socket.on("connect", () => socket.emit("join", what));
          await ask(socket, "join", what);
          await interrupt(line);
          if (breaks > 0) await ends.first(`${what}: the client notices`, () => true, 60_000);
          if (!socket.connected) await nextConnection(socket);
          assert.equal(await ask(socket, "echo", what), what);
          await until(`${what}: it is in its room`, async () => (await ask(socket, "join", what)) === null);
          return line;
        }));
        // Until the server has noticed the connections that are gone: pingInterval and pingTimeout.
        await until("three clients are left, and three rooms", async () => {
          const { clients: left, rooms } = await server.json("/state");
          return left === 3 && rooms === 3;
        }, 45_000);
        clients.closeAll();
        await until("each Joined has one Left, each connection one end", async () => {
          const { events, handlers } = await server.json("/stays");
          return Object.keys(events).length === 0 && handlers.length === 0;
        }, 45_000);
        assert.deepEqual((await server.json("/stays")).outOfTurn, []);
        await Promise.all(lines.map((line) => line.close()));
      });
    });
  }
});

for (const state of STATES) {
  describe(`a restart, state in ${state}`, () => {
    test("two hundred clients come back and have their hundred rooms each within five seconds of the server's return", async () => {
      const redis = state === "Redis" ? await Redis.start() : undefined;
      const server = await Server.start(protocolBinary(), withDefaultLimits(redis ? { ROOMWIRE_STATE__URLS: redis.url } : {}));
      const clients = new Clients();
      try {
        const sockets = await Promise.all(Array.from({ length: 200 }, () =>
          clients.connected(server.url, { reconnection: true, transports: ["websocket"] })));
        await server.stop();
        const back = sockets.map(nextConnection);
        const joined = sockets.map(async (socket, number) => {
          await back[number];
          const rooms = Array.from({ length: 100 }, (_, room) => ask(socket, "join", `room-${(number + room) % 300}`));
          assert.deepEqual(new Set(await Promise.all(rooms)), new Set([null]));
        });
        await server.startAgain();
        const ms = await took(() => Promise.all(joined));
        assert.ok(ms < 5_000, `${ms} ms`);
      } finally {
        clients.closeAll();
        await server.stop();
        await redis?.stop();
      }
    });
  });
}
