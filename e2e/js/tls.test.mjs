// TLS by the server itself: https and wss with the official client, and a certificate that is renewed under way.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, Clients, connection } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

describe("TLS", () => {
  const clients = new Clients();
  let folder;
  let server;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "roomwire-tls-"));
    server = await Server.start(protocolBinary(), {
      ROOMWIRE_SSL: "true",
      ROOMWIRE_TLS__CERT: join(folder, "cert.pem"),
      ROOMWIRE_TLS__KEY: join(folder, "key.pem"),
      ROOMWIRE_TLS__RELOAD: "1000",
    });
  });
  afterEach(() => clients.closeAll());
  after(async () => {
    await server?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  for (const transport of ["polling", "websocket"]) {
    test(`clients talk over ${transport === "polling" ? "https" : "wss"}`, async () => {
      const socket = await clients.connected(server.url, { ...(await server.trust()), transports: [transport] });
      assert.equal(socket.io.engine.transport.name, transport);
      assert.match(server.url, /^https:/);
      assert.deepEqual(await ask(socket, "echo", { big: "x".repeat(100_000) }), { big: "x".repeat(100_000) });
    });
  }

  test("a client upgrades from https to wss", async () => {
    const socket = await clients.upgraded(server.url, await server.trust());
    assert.equal(socket.io.engine.transport.name, "websocket");
    assert.equal(await ask(socket, "echo", "still here"), "still here");
  });

  for (const transport of ["polling", "websocket"]) {
    test(`a client that does not trust the certificate does not connect over ${transport}`, async () => {
      await assert.rejects(connection(clients.open(server.url, { transports: [transport] })));
    });
  }

  test("a client that speaks plain HTTP is not answered, and costs nobody anything", async () => {
    const plain = server.url.replace("https:", "http:");
    await assert.rejects(connection(clients.open(plain, { transports: ["websocket"] })));
    const socket = await clients.connected(server.url, await server.trust());
    assert.equal(await ask(socket, "echo", 1), 1);
  });

  test("a certificate is renewed without a restart: who is connected stays, who comes sees the new one", async () => {
    const before = await server.trust();
    const early = await clients.connected(server.url, { ...before, transports: ["websocket"] });
    await server.post("/certificate");
    const renewed = await server.trust();
    assert.notEqual(renewed.ca, before.ca);
    await until("the new certificate is shown", () => server.get("/"));
    const late = await clients.connected(server.url, { ...renewed, transports: ["websocket"] });
    await assert.rejects(connection(clients.open(server.url, { ...before, transports: ["websocket"] })));
    assert.deepEqual(await Promise.all([ask(early, "echo", "early"), ask(late, "echo", "late")]), ["early", "late"]);
  });
});
