// What goes wrong stays small: panics, bad messages by the hundred, and a server that restarts.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, askAll, assertError, Clients, hear, nextConnection, refusal } from "./support/clients.mjs";
import { DefaultServer } from "./support/default-server.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { PollingSession } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const TIMES = 200;
const PASSERS_BY = 100;

describe("failures", () => {
  let server;
  const clients = new Clients();
  const nobodyLeft = async () => {
    const { clients: left, rooms } = await server.json("/state");
    return left === 0 && rooms === 0;
  };

  before(async () => {
    server = await Server.start(protocolBinary());
  });
  afterEach(() => clients.closeAll());
  after(() => server?.stop());

  for (const event of ["panic", "panic-async"]) {
    test(`a handler that panics (${event}) is an error to its client and nothing more`, async () => {
      const [client, bystander] = [await clients.connected(server.url), await clients.connected(server.url)];
      const [errors, ends] = [hear(client, "error"), hear(client, "disconnect")];
      await ask(client, "join", "panics");
      await refusal(client, "INTERNAL", event);
      client.emit(event);
      assertError(await errors.first("an error event"), "INTERNAL", event);
      for (const socket of [client, bystander]) assert.deepEqual(await askAll(socket, "echo", event), [event]);
      assert.deepEqual(ends.all, []);
      clients.closeAll();
      await until("the clients and their rooms are forgotten", nobodyLeft);
    });
  }

  test("an INTERNAL error says nothing of its cause", async () => {
    const client = await clients.connected(server.url);
    const { message } = await refusal(client, "INTERNAL", "panic");
    assert.doesNotMatch(message, /panic|\.rs|unwrap/i);
  });

  const BAD = [
    ["unknown events", "UNKNOWN_EVENT", "no-such-event", [1, 2]],
    ["values of the wrong type", "INVALID_PAYLOAD", "slow", ["soon"]],
    ["missing fields", "INVALID_PAYLOAD", "binary-to-room", [{}]],
    ["missing values", "INVALID_PAYLOAD", "join", []],
    ["event names of 65 bytes", "INVALID_NAME", "e".repeat(65), []],
    ["room names of 129 bytes", "INVALID_NAME", "join", ["r".repeat(129)]],
  ];
  for (const [what, code, event, values] of BAD) {
    test(`${TIMES} ${what} are all answered and none is an ERROR in the log`, async () => {
      const client = await clients.connected(server.url, { transports: ["websocket"] });
      const events = hear(client, "error");
      const before = await server.errors();
      const answers = await Promise.all(Array.from({ length: TIMES }, () => refusal(client, code, event, ...values)));
      assert.equal(answers.length, TIMES);
      for (let sent = 0; sent < TIMES; sent += 1) client.emit(event, ...values);
      await until("an error event for each", () => events.all.length === TIMES);
      for (const error of events.all) assertError(error, code, what);
      assert.deepEqual(await askAll(client, "echo", "well"), ["well"]);
      assert.equal(await server.errors(), before);
    });
  }

  test("a server that stops refuses new sessions, and answers polls that wait, with 503, a code and a message", async () => {
    const stopping = await Server.start(protocolBinary());
    try {
      const [quiet, busy] = [await PollingSession.connected(stopping.url), await PollingSession.connected(stopping.url)];
      // Holds the stop until the poll of the other session waits.
      await busy.post('421["slow",3000]');
      const answers = Promise.all([quiet.poll(), busy.poll()]);
      // Connections are accepted one after the other.
      await stopping.get("/");
      const stopped = stopping.stop();
      const refused = until("a new session is refused", async () => {
        const answer = await fetch(`${stopping.url}/socket.io/?EIO=4&transport=polling`);
        return answer.status === 503 && answer.headers.get("retry-after") === "1" && (await answer.json()).code === "SHUTTING_DOWN";
      });
      const [[{ status, headers, text }, answer]] = await Promise.all([answers, refused, stopped]);
      assert.equal(answer.text, "431[null]");
      assert.equal(status, 503);
      assert.match(headers["content-type"], /^application\/json/);
      assert.deepEqual(JSON.parse(text), { code: "SHUTTING_DOWN", message: "Server is about to stop, connect again" });
    } finally {
      await stopping.stop();
    }
  });

  test("a server whose state is in memory stops without a warning", async () => {
    for (let time = 0; time < 5; time += 1) {
      const stopping = await DefaultServer.in("memory");
      try {
        const client = await clients.connected(stopping.url);
        assert.equal(await ask(client, "echo", time), time);
        await stopping.stop();
        assert.match(stopping.log, /stopping/);
        assert.deepEqual(stopping.warnings, []);
      } finally {
        await stopping.stop();
      }
    }
  });

  for (const transport of ["polling", "websocket"]) {
    test(`the server stops in time after ${PASSERS_BY} clients over ${transport} came and went`, async () => {
      const passersBy = Array.from({ length: PASSERS_BY }, () => clients.connected(server.url, { transports: [transport] }));
      await Promise.all(passersBy);
      clients.closeAll();
      await until("the clients are forgotten", nobodyLeft);
      await server.stop().finally(() => server.startAgain());
    });

    test(`a client over ${transport} comes back by itself when the server restarts`, async () => {
      const options = { transports: [transport], reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
      const [client, witness] = [await clients.connected(server.url, options), await clients.connected(server.url, options)];
      await ask(client, "join", "restart");
      const firstId = client.id;
      const gone = new Promise((resolve) => client.once("disconnect", resolve));

      await server.stop();
      await within(10_000, "the client notices", gone);
      assert.equal(client.active, true, "the client tries to come back");
      const back = Promise.all([client, witness].map((socket) => nextConnection(socket)));
      await server.startAgain();
      await back;

      assert.notEqual(client.id, firstId);
      const heard = hear(client, "binary");
      await ask(client, "join", "restart");
      await ask(witness, "binary-to-room", { room: "restart", data: Buffer.from("hello again") });
      assert.equal((await heard.first("the client is back in its room")).data.toString(), "hello again");
      clients.closeAll();
      await until("the clients are forgotten", nobodyLeft);
    });
  }
});
