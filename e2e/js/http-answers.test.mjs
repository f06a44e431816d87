// The HTTP answers of the Socket.IO path: the official server's errors, CORS and cache headers, queries and sizes.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { exchange } from "./support/http-exchange.mjs";
import { POLLING, PollingSession, SEPARATOR } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";

const ALLOWED = "http://allowed.test";
const FOREIGN = "http://foreign.test";
const UNKNOWN_SID = `${POLLING}&sid=unknown`;

const TRANSPORT_UNKNOWN = { code: 0, message: "Transport unknown" };
const SESSION_UNKNOWN = { code: 1, message: "Session ID unknown" };
const BAD_METHOD = { code: 2, message: "Bad handshake method" };
const BAD_REQUEST = { code: 3, message: "Bad request" };
const UNSUPPORTED_VERSION = { code: 5, message: "Unsupported protocol version" };

function assertError({ status, headers, text }, error) {
  assert.equal(status, 400, text);
  assert.match(headers["content-type"] ?? "", /^application\/json/);
  assert.deepEqual(JSON.parse(text), error);
}

describe("HTTP answers on default limits", () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits({ ROOMWIRE_ALLOWED_ORIGINS: ALLOWED }));
  });
  after(() => server?.stop());

  const ask = (path, options) => exchange(server.url, path, options);

  for (const [method, path, error] of [
    ["GET", "/socket.io/?EIO=4&transport=foo", TRANSPORT_UNKNOWN],
    ["GET", "/socket.io/?EIO=4", TRANSPORT_UNKNOWN],
    ["GET", "/socket.io/", TRANSPORT_UNKNOWN],
    ["GET", UNKNOWN_SID, SESSION_UNKNOWN],
    ["POST", UNKNOWN_SID, SESSION_UNKNOWN],
    ["POST", POLLING, BAD_METHOD],
    ["PUT", POLLING, BAD_METHOD],
    ["GET", "/socket.io/?EIO=4&transport=websocket", BAD_REQUEST],
    ["GET", "/socket.io/?EIO=3&transport=polling", UNSUPPORTED_VERSION],
    ["GET", "/socket.io/?EIO=abc&transport=polling", UNSUPPORTED_VERSION],
    ["GET", "/socket.io/?transport=polling", UNSUPPORTED_VERSION],
  ]) {
    test(`${method} ${path} is answered with code ${error.code}, ${error.message}`, async () => {
      assertError(await ask(path, { method }), error);
    });
  }

  test("a poll of a session that is on a websocket is answered with code 3, Bad request", async () => {
    const socket = await FrameSocket.open(server.url);
    assertError(await ask(`${POLLING}&sid=${socket.handshake.sid}`), BAD_REQUEST);
    socket.terminate();
  });

  test("JSONP is refused by name", async () => {
    const { sid } = await PollingSession.open(server.url);
    for (const path of [`${POLLING}&j=0`, `${POLLING}&sid=${sid}&j=1`]) {
      const { status, text } = await ask(path);
      assert.equal(status, 400, text);
      assert.match(text, /JSONP.*not supported/i);
    }
  });

  test("no answer with packets may be stored by a cache", async () => {
    const opened = await ask(POLLING);
    const session = new PollingSession(server.url, JSON.parse(opened.text.slice(1)));
    const answers = [opened, await session.post("40"), await session.poll()];
    assert.deepEqual(answers.map(({ headers }) => headers["cache-control"]), ["no-store", "no-store", "no-store"]);
  });

  for (const [what, headers] of [
    ["no origin", {}],
    ["an allowed origin", { origin: ALLOWED }],
    ["a foreign origin", { origin: FOREIGN }],
  ]) {
    test(`OPTIONS of ${what} is answered with 204`, async () => {
      const preflight = { ...headers, "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
      const { status, headers: answer } = await ask(POLLING, { method: "OPTIONS", headers: preflight });
      assert.equal(status, 204);
      if (headers.origin === ALLOWED) {
        assert.equal(answer["access-control-allow-origin"], ALLOWED);
        assert.match(answer["access-control-allow-methods"], /POST/);
      } else {
        assert.notEqual(answer["access-control-allow-origin"], FOREIGN);
        assert.equal(answer["access-control-allow-credentials"], undefined);
      }
    });
  }

  test("every answer to an allowed origin has CORS headers", async () => {
    const headers = { origin: ALLOWED };
    const { sid, handshake } = await PollingSession.open(server.url);
    for (const [path, options, expected] of [
      [POLLING, {}, 200],
      [`${POLLING}&sid=${sid}`, { method: "POST", body: "40" }, 200],
      [`${POLLING}&sid=${sid}`, {}, 200],
      [UNKNOWN_SID, {}, 400],
      [UNKNOWN_SID, { method: "POST", body: "40" }, 400],
      ["/socket.io/?EIO=4&transport=foo", {}, 400],
      ["/socket.io/?EIO=4&transport=websocket", {}, 400],
      ["/socket.io/?EIO=3&transport=polling", {}, 400],
      [`${POLLING}&j=0`, {}, 400],
      [POLLING, { method: "POST", body: "40" }, 400],
      [`${POLLING}&sid=${sid}`, { method: "POST", body: "4".repeat(handshake.maxPayload + 1) }, 413],
    ]) {
      const { status, headers: answer } = await ask(path, { ...options, headers });
      const what = `${options.method ?? "GET"} ${path} (${status})`;
      assert.equal(status, expected, what);
      assert.equal(answer["access-control-allow-origin"], ALLOWED, what);
      assert.equal(answer["access-control-allow-credentials"], "true", what);
      assert.match(answer.vary ?? "", /\borigin\b/i, what);
    }
  });

  test("answers without an origin vary by origin too", async () => {
    const { headers } = await ask(POLLING);
    assert.match(headers.vary ?? "", /\borigin\b/i);
  });

  for (const path of [
    "/socket.io/?EIO=4&transport=%70olling",
    "/socket.io/?%45IO=%34&transport=polling",
    "/socket.io/?EIO=4&transport=polling&sid=",
    "/socket.io/?transport=polling&EIO=4&t=x%26y",
    "/socket.io?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=polling&b64=1",
  ]) {
    test(`GET ${path} opens a session`, async () => {
      const { status, text } = await ask(path);
      assert.equal(status, 200, text);
      assert.match(text, /^0\{"sid":"/);
    });
  }

  test("a session is used with its id and transport percent-encoded, and without a trailing slash", async () => {
    const session = await PollingSession.open(server.url);
    const sid = `%${session.sid.charCodeAt(0).toString(16)}${session.sid.slice(1)}`;
    const path = `/socket.io?EIO=4&transport=%70olling&sid=${sid}`;
    assert.equal((await ask(path, { method: "POST", body: "40" })).text, "ok");
    assert.match((await ask(path)).text, /40\{"sid":"/);
  });

  for (const path of [
    "/socket.io/?EIO=4&transport=websocket&sid=",
    "/socket.io/?EIO=4&transport=%77ebsocket",
    "/socket.io?EIO=4&transport=websocket",
  ]) {
    test(`a websocket of ${path} opens a session`, async () => {
      const socket = new FrameSocket(server.url, path);
      assert.match(await socket.next("the open packet"), /^0\{"sid":"/);
      socket.terminate();
    });
  }

  test("a POST of maxPayload bytes is accepted, and one of a byte more is answered with 413", async () => {
    const session = await PollingSession.connected(server.url);
    const { maxPayload } = session.handshake;
    const event = (size) => `42["echo","${"x".repeat(size - '42["echo",""]'.length)}"]`;
    const half = Math.floor(maxPayload / 2);
    const most = [event(half), event(maxPayload - half - SEPARATOR.length)].join(SEPARATOR);
    assert.equal(Buffer.byteLength(most), maxPayload);
    const { status, text } = await session.post(most);
    assert.deepEqual([status, text], [200, "ok"]);
    assert.ok(!(await session.isClosed()));
    assert.equal((await session.post(`${most}${SEPARATOR}`)).status, 413);
  });
});

async function withServer(environment, act) {
  const server = await Server.start(protocolBinary(), withDefaultLimits(environment));
  try {
    await act(server);
  } finally {
    await server.stop();
  }
}

describe("HTTP answers of other configurations", { concurrency: true }, () => {
  test("a server without websockets offers no upgrade, and refuses websockets as an unknown transport", async () => {
    await withServer({ ROOMWIRE_TRANSPORTS: "polling" }, async (server) => {
      const { handshake } = await PollingSession.open(server.url);
      assert.deepEqual(handshake.upgrades, []);
      assertError(await exchange(server.url, "/socket.io/?EIO=4&transport=websocket"), TRANSPORT_UNKNOWN);
    });
  });

  test("a server without polling refuses it as an unknown transport", async () => {
    await withServer({ ROOMWIRE_TRANSPORTS: "websocket" }, async (server) => {
      assertError(await exchange(server.url, POLLING), TRANSPORT_UNKNOWN);
      const socket = await FrameSocket.connected(server.url);
      socket.terminate();
    });
  });

  test("the first ping is sent after pingInterval, over polling and over websocket", async () => {
    await withServer({ ROOMWIRE_PING_INTERVAL: "1000" }, async (server) => {
      const began = performance.now();
      const firstPings = [
        PollingSession.connected(server.url).then(async (session) => (await session.poll()).text),
        FrameSocket.connected(server.url).then(async (socket) => {
          const frame = await socket.next("the first ping");
          socket.terminate();
          return frame;
        }),
      ].map(async (ping) => [await ping, performance.now() - began]);
      for (const [packet, ms] of await Promise.all(firstPings)) {
        assert.equal(packet, "2");
        assert.ok(ms > 950 && ms < 2_000, `after ${ms} ms`);
      }
    });
  });
});
