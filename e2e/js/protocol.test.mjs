// What the official client may rely on: acknowledgements both ways, binary, several values, namespaces, being kicked.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { Manager } from "socket.io-client";
import { ask, askAll, Clients, connection, hear, refusal } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

for (const transport of ["polling", "websocket"]) {
  describe(`the protocol over ${transport}`, () => {
    let server;
    const clients = new Clients();
    const managers = [];
    const connect = (path = "") => clients.connected(server.url + path, { transports: [transport] });

    before(async () => {
      server = await Server.start(protocolBinary());
    });
    afterEach(() => {
      clients.closeAll();
      for (const manager of managers.splice(0)) manager._close();
    });
    after(() => server?.stop());

    test("an acknowledgement carries back what was sent, also several values", async () => {
      const client = await connect();
      for (const values of [["text"], [0], [null], [true, false], [{ a: [1, { b: "ü" }] }, ["x"], "y", 1.5]]) {
        assert.deepEqual(await askAll(client, "echo", ...values), values);
      }
    });

    test("binary comes back byte for byte, alone, nested and among other values", async () => {
      const client = await connect();
      const [small, large] = [Buffer.from([0, 1, 2, 253, 254, 255]), randomBytes(48 * 1024)];
      for (const values of [[small], [large], [Buffer.alloc(0)], ["a", small, { deep: [{ small, large }], n: 1 }, "z"]]) {
        assert.deepEqual(await askAll(client, "echo", ...values), values);
      }
    });

    test("binary is broadcast to a room", async () => {
      const [sender, member, outsider] = [await connect(), await connect(), await connect()];
      const [heard, unheard] = [hear(member, "binary"), hear(outsider, "binary")];
      await ask(member, "join", "bytes");
      const data = randomBytes(1000);
      await ask(sender, "binary-to-room", { room: "bytes", data });
      assert.deepEqual(await heard.first("the member hears the bytes"), { data });
      await ask(outsider, "echo", "a round trip");
      assert.deepEqual(unheard.all, []);
    });

    test("the server asks a client and gets its answer", async () => {
      const client = await connect();
      client.on("question", (value, answer) => answer({ twice: value * 2 }));
      assert.deepEqual(await ask(client, "ask-me", 21), { twice: 42 });
    });

    test("a client that does not answer in time is a timeout", async () => {
      const client = await connect();
      const questions = hear(client, "question");
      await refusal(client, "TIMEOUT", "ask-me", "are you there?");
      assert.deepEqual(questions.all, ["are you there?"]);
      assert.deepEqual(await askAll(client, "echo", "still here"), ["still here"]);
    });

    test("the server asks a room and tells who was silent", async () => {
      const [asker, quick, other, silent] = [await connect(), await connect(), await connect(), await connect()];
      for (const member of [quick, other, silent]) await ask(member, "join", "quiz");
      quick.on("question", (question, answer) => answer(`${question} quick`));
      other.on("question", (question, answer) => answer(`${question} other`));
      hear(silent, "question");

      const { answers, silent: unanswered } = await ask(asker, "ask-room", { room: "quiz", question: "who?" });
      const byId = Object.fromEntries(answers.map(({ clientId, answer }) => [clientId, answer]));
      assert.deepEqual(byId, { [quick.id]: "who? quick", [other.id]: "who? other" });
      assert.equal(answers.length, 2);
      assert.deepEqual(unanswered, [silent.id]);
    });

    test("a client learns who it is and how many there are", async () => {
      const [one, two] = [await connect(), await connect()];
      const { id, namespace } = await ask(one, "whoami");
      assert.deepEqual({ id, namespace }, { id: one.id, namespace: "/" });
      assert.notEqual(one.id, two.id);
      await until("two clients are counted", async () => (await ask(one, "crowd")) === 2);
      two.disconnect();
      await until("one client is counted", async () => (await ask(one, "crowd")) === 1);
    });

    test("namespaces share a connection and nothing else", async () => {
      const manager = new Manager(server.url, { transports: [transport], reconnection: false });
      managers.push(manager);
      const [main, admin] = [manager.socket("/"), manager.socket("/admin")];
      await Promise.all([connection(main), connection(admin)]);
      const adminElsewhere = await connect("/admin");

      assert.equal((await ask(main, "whoami")).namespace, "/");
      const { id, namespace } = await ask(admin, "whoami");
      assert.deepEqual({ id, namespace }, { id: admin.id, namespace: "/admin" });
      assert.deepEqual(await askAll(admin, "echo", "a", 2), ["a", 2]);
      await refusal(admin, "UNKNOWN_EVENT", "crowd");

      const [inMain, inAdmin] = [hear(main, "shout"), hear(adminElsewhere, "shout")];
      for (const member of [main, admin, adminElsewhere]) await ask(member, "join", "same name");
      await ask(admin, "shout", { room: "same name", message: "hey" });
      assert.equal((await inAdmin.first("the other admin hears it")).message, "hey");
      await ask(main, "echo", "a round trip");
      assert.deepEqual(inMain.all, []);

      admin.disconnect();
      assert.deepEqual(await askAll(main, "echo", "unharmed"), ["unharmed"]);
    });

    test("an unknown namespace is refused", async () => {
      const stranger = clients.open(`${server.url}/nowhere`, { transports: [transport] });
      const error = await within(
        5_000,
        "the refusal",
        new Promise((resolve, reject) => {
          stranger.once("connect_error", resolve);
          stranger.once("connect", () => reject(new Error("connected to a namespace that does not exist")));
        }),
      );
      assert.equal(error.message, "Invalid namespace");
    });

    test("a kicked client knows that the server did it", async () => {
      const client = await connect();
      const gone = new Promise((resolve) => client.once("disconnect", resolve));
      client.emit("kick-me");
      assert.equal(await within(5_000, "the client is disconnected", gone), "io server disconnect");
      await until("the server has forgotten it", async () => (await server.json("/state")).clients === 0);
    });

    test("clients and rooms that are gone are forgotten", async () => {
      const members = [await connect(), await connect(), await connect("/admin")];
      for (const [number, member] of members.entries()) await ask(member, "join", `short-lived ${number}`);
      const state = await server.json("/state");
      assert.equal(state.clients, 3);
      assert.ok(state.rooms >= 2, JSON.stringify(state));
      members[0].disconnect();
      members[1].io.engine.close();
      members[2].disconnect();
      await until("no client and no room is left", async () => {
        const { clients: left, rooms } = await server.json("/state");
        return left === 0 && rooms === 0;
      });
    });
  });
}
