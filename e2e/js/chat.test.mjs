// The chat example, driven by the official client over each transport.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, assertError, Clients, hear, refusal } from "./support/clients.mjs";
import { chatBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const WAYS = {
  polling: (clients, url, options) => clients.connected(url, { ...options, transports: ["polling"] }),
  websocket: (clients, url, options) => clients.connected(url, { ...options, transports: ["websocket"] }),
  upgrade: (clients, url, options) => clients.upgraded(url, options),
};

for (const [way, connect] of Object.entries(WAYS)) {
  describe(`chat over ${way}`, () => {
    let server;
    const clients = new Clients();
    const enter = (name) => connect(clients, server.url, name ? { auth: { name } } : {});
    const identity = (socket, name) => ({ userId: socket.id, name });

    before(async () => {
      server = await Server.start(chatBinary());
    });
    afterEach(() => clients.closeAll());
    after(() => server?.stop());

    async function listed(socket, room) {
      const rooms = await ask(socket, "list-rooms");
      return rooms.find((entry) => entry.room === room);
    }

    test("the connection uses the transport that was asked for", async () => {
      const ada = await enter("Ada");
      assert.equal(ada.io.engine.transport.name, way === "upgrade" ? "websocket" : way);
      assert.equal(Array.isArray(await ask(ada, "list-rooms")), true);
    });

    test("joining is acknowledged with the members and told to everybody in the room", async () => {
      const [ada, grace] = [await enter("Ada"), await enter("Grace")];
      const [adaHears, graceHears] = [hear(ada, "user-joined"), hear(grace, "user-joined")];

      assert.deepEqual(await ask(ada, "join-room", "joining"), { room: "joining", members: [identity(ada, "Ada")] });
      assert.deepEqual(await adaHears.first("Ada hears of herself"), { ...identity(ada, "Ada"), room: "joining" });

      const answer = await ask(grace, "join-room", "joining");
      assert.equal(answer.room, "joining");
      const byName = (a, b) => a.name.localeCompare(b.name);
      assert.deepEqual(answer.members.toSorted(byName), [identity(ada, "Ada"), identity(grace, "Grace")]);
      const told = { ...identity(grace, "Grace"), room: "joining" };
      assert.deepEqual(await adaHears.first("Ada hears of Grace", ({ name }) => name === "Grace"), told);
      assert.deepEqual(await graceHears.first("Grace hears of herself"), told);
      assert.equal((await listed(ada, "joining")).members, 2);
    });

    test("who gives no name is a guest", async () => {
      const guest = await enter();
      const { members } = await ask(guest, "join-room", "guests");
      assert.deepEqual(members, [identity(guest, "guest")]);
    });

    test("joining twice makes one member", async () => {
      const [ada, grace] = [await enter("Ada"), await enter("Grace")];
      await ask(ada, "join-room", "duo");
      const again = await ask(ada, "join-room", "duo");
      assert.deepEqual(again.members, [identity(ada, "Ada")]);
      assert.equal((await listed(ada, "duo")).members, 1);
      assert.equal((await ask(grace, "join-room", "duo")).members.length, 2);
      await Promise.all([ask(ada, "leave-room", "duo"), ask(grace, "leave-room", "duo")]);
    });

    test("a message reaches the room and its sender, and nobody else", async () => {
      const [ada, grace, outsider] = [await enter("Ada"), await enter("Grace"), await enter("Joan")];
      const [adaHears, graceHears, outsiderHears] = [ada, grace, outsider].map((socket) => hear(socket, "new-message"));
      for (const socket of [ada, grace]) await ask(socket, "join-room", "talk");

      const { timestamp } = await ask(ada, "send-message", { room: "talk", message: "Hello everyone! ünïcödé 🙂" });
      assert.match(timestamp, RFC_3339);
      const expected = { ...identity(ada, "Ada"), room: "talk", message: "Hello everyone! ünïcödé 🙂", timestamp };
      assert.deepEqual(await graceHears.first("Grace hears Ada"), expected);
      assert.deepEqual(await adaHears.first("Ada hears herself"), expected);
      await ask(outsider, "list-rooms");
      assert.deepEqual(outsiderHears.all, []);
    });

    test("leaving is acknowledged, told to those who remain, and ends the messages", async () => {
      const [ada, grace] = [await enter("Ada"), await enter("Grace")];
      const [adaHears, graceHears] = [hear(ada, "user-left"), hear(grace, "new-message")];
      for (const socket of [ada, grace]) await ask(socket, "join-room", "leaving");

      assert.deepEqual(await ask(grace, "leave-room", "leaving"), { room: "leaving" });
      const told = { ...identity(grace, "Grace"), room: "leaving", reason: "left" };
      assert.deepEqual(await adaHears.first("Ada hears that Grace left"), told);
      await ask(ada, "send-message", { room: "leaving", message: "gone already?" });
      await refusal(grace, "NOT_IN_ROOM", "send-message", { room: "leaving", message: "wait" });
      assert.deepEqual(graceHears.all, []);
    });

    for (const [manner, go] of [
      ["says goodbye", (socket) => socket.disconnect()],
      ["just goes away", (socket) => socket.io.engine.close()],
    ]) {
      test(`the room is told once when a client ${manner}`, async () => {
        const [ada, grace] = [await enter("Ada"), await enter("Grace")];
        const adaHears = hear(ada, "user-left");
        const room = `departure: ${manner}`;
        for (const socket of [ada, grace]) await ask(socket, "join-room", room);
        const gone = identity(grace, "Grace");

        go(grace);
        // The name may be missing: it is gone with its client.
        const { reason, name = gone.name, ...told } = await adaHears.first("Ada hears that Grace is gone");
        assert.deepEqual({ ...told, name }, { ...gone, room });
        assert.match(reason, /^(disconnected|client disconnected|connection lost)$/);
        const { members } = await ask(ada, "join-room", room);
        assert.deepEqual(members, [identity(ada, "Ada")]);
        assert.equal(adaHears.all.length, 1);
      });
    }

    test("the rooms of the house are listed", async () => {
      const ada = await enter("Ada");
      const duo = await until("duo is empty again", async () => {
        const found = await listed(ada, "duo");
        return found.members === 0 && found;
      });
      assert.deepEqual(duo, { room: "duo", members: 0, capacity: 2, closed: false });
      assert.deepEqual(await listed(ada, "archive"), { room: "archive", members: 0, capacity: null, closed: true });
    });

    test("a full room and a closed room refuse, and the client goes on", async () => {
      const [first, second, third] = [await enter("Ada"), await enter("Grace"), await enter("Joan")];
      for (const socket of [first, second]) assert.equal((await ask(socket, "join-room", "duo")).room, "duo");
      const full = await refusal(third, "ROOM_FULL", "join-room", "duo");
      assert.equal(full.message, "Room is full");
      const closed = await refusal(third, "ROOM_CLOSED", "join-room", "archive");
      assert.equal(closed.message, "Room is closed");
      await ask(first, "leave-room", "duo");
      assert.equal((await ask(third, "join-room", "duo")).members.length, 2);
    });

    const BAD = [
      ["an unknown event", "UNKNOWN_EVENT", "make-coffee", [{ strong: true }]],
      ["a missing field", "INVALID_PAYLOAD", "send-message", [{ room: "x" }], "message"],
      ["a field of the wrong type", "INVALID_PAYLOAD", "send-message", [{ room: "x", message: 5 }], "message"],
      ["text instead of an object", "INVALID_PAYLOAD", "send-message", ["hello"]],
      ["an object instead of a room", "INVALID_PAYLOAD", "join-room", [{ room: "x" }]],
      ["no room at all", "INVALID_PAYLOAD", "join-room", []],
      ["a room's name of 129 bytes", "INVALID_NAME", "join-room", ["x".repeat(129)]],
      ["an empty room's name", "INVALID_NAME", "join-room", [""]],
      ["a control character in a room's name", "INVALID_NAME", "join-room", ["a\u0007b"]],
      ["a message to a room one is not in", "NOT_IN_ROOM", "send-message", [{ room: "elsewhere", message: "hi" }]],
    ];

    test("bad input is answered in the acknowledgement", async () => {
      const ada = await enter("Ada");
      for (const [what, code, event, values, field] of BAD) {
        const error = await refusal(ada, code, event, ...values);
        if (field) assert.equal(error.field, field, what);
      }
      assert.equal((await ask(ada, "join-room", "x".repeat(128))).members.length, 1);
    });

    test("bad input without an acknowledgement is answered by the event error", async () => {
      const ada = await enter("Ada");
      const errors = hear(ada, "error");
      for (const [what, code, event, values, field] of BAD) {
        const seen = errors.all.length;
        ada.emit(event, ...values);
        await until(`an error for ${what}`, () => errors.all.length > seen);
        const error = errors.all.at(-1);
        assertError(error, code, what);
        if (field) assert.equal(error.field, field, what);
      }
      assert.equal(errors.all.length, BAD.length);
      assert.equal(ada.connected, true);
    });
  });
}
