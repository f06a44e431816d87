// What honest people do at their worst moment, on default limits: nothing is refused, lost or late.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connects } from "./honest/connects.mjs";
import { networks } from "./honest/networks.mjs";
import { ask, Clients, hear, nextConnection } from "./support/clients.mjs";
import { DefaultServer, STATES } from "./support/default-server.mjs";
import { took } from "./support/elapsed.mjs";
import { Line } from "./support/line.mjs";
import { until } from "./support/wait.mjs";

const IMAGE = "x".repeat(900_000);

// Side by side, since they mostly wait; those that wait longest first.
describe("honest use", { concurrency: true }, () => {
  STATES.forEach(networks);
  STATES.forEach(connects);
  for (const state of STATES) {
    describe(`events and images, state in ${state}`, { concurrency: 4 }, () => {
      let server;
      const clients = new Clients();

      before(async () => {
        server = await DefaultServer.in(state);
      });
      after(async () => {
        clients.closeAll();
        await server?.stopAll();
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

  }
});

for (const state of STATES) {
  describe(`a restart, state in ${state}`, () => {
    test("two hundred clients come back and have their hundred rooms each within five seconds of the server's return", async () => {
      const server = await DefaultServer.in(state);
      const clients = new Clients();
      try {
        const sockets = await Promise.all(Array.from({ length: 200 }, () =>
          clients.connected(server.url, { reconnection: true, transports: ["websocket"] })));
        await server.stop();
        const back = sockets.map((socket) => nextConnection(socket));
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
        await server.stopAll();
      }
    });
  });
}
