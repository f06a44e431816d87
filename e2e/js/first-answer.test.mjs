// A client that speaks the moment it is connected gets every answer, the first one too.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { protocolBinary } from "./support/environment.mjs";
import { RawClient } from "./support/raw-client.mjs";
import { Server } from "./support/server.mjs";

const CLIENTS = 2_000;
const EVENTS = 20;

describe("the first answers", () => {
  let server;
  let raw;

  before(async () => {
    server = await Server.start(protocolBinary());
  });
  afterEach(() => raw?.close());
  after(() => server?.stop());

  const greet = (client) => {
    for (let number = 0; number < EVENTS; number += 1) client.send(`42${number}["echo",${number}]`);
  };
  const answered = () => raw.frames.map((frame) => /^43(\d+)\[\1\]$/.exec(frame)?.[1]).filter(Boolean).map(Number);

  test(`${CLIENTS.toLocaleString("en")} clients that send ${EVENTS} events on connecting get ${EVENTS} answers each, in order`, async () => {
    const inOrder = Array.from({ length: EVENTS }, (_, number) => number);
    for (let number = 0; number < CLIENTS; number += 1) {
      // One after the other: a client that has to wait for its turn is too slow to be early.
      raw = await RawClient.connected(server, greet);
      await raw.acknowledgement(EVENTS - 1);
      assert.deepEqual(answered(), inOrder, `client ${number}`);
      raw.close();
    }
  });
});
