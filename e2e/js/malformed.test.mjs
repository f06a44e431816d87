// Frames no well-behaved client would send: each harms at most its sender, and none is an ERROR in the log.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { askAll, assertError, Clients } from "./support/clients.mjs";
import { protocolBinary } from "./support/environment.mjs";
import { RawClient } from "./support/raw-client.mjs";
import { Server } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
const MANY = 200;
const DEPTH = 10_000;
const NESTING = 120; // within the limit of Rust's parser

describe("malformed input", () => {
  let server;
  let healthy;
  let errorsBefore;
  const clients = new Clients();
  const raws = [];

  before(async () => {
    server = await Server.start(protocolBinary());
    healthy = await clients.connected(server.url, { transports: ["websocket"] });
  });
  beforeEach(async () => {
    errorsBefore = await server.errors();
  });
  // After every case: other clients are unharmed, the sender is removed when it is gone, and the log is quiet.
  afterEach(async () => {
    for (const raw of raws.splice(0)) raw.close();
    assert.equal(healthy.connected, true);
    assert.deepEqual(await askAll(healthy, "echo", "healthy"), ["healthy"]);
    await until("only the healthy client is left", async () => (await server.json("/state")).clients === 1);
    assert.equal(await server.errors(), errorsBefore, `ERROR lines in the log:\n${server.logTail}`);
  });
  after(async () => {
    clients.closeAll();
    await server?.stop();
  });

  async function rawClient() {
    const raw = await RawClient.connected(server);
    raws.push(raw);
    return raw;
  }

  /** After whatever was sent before: either the connection still answers, or it has ended. */
  async function answersOrEnds(raw, id, what) {
    raw.send(`42${id}["echo","afterwards"]`);
    await Promise.race([raw.acknowledgement(id), raw.closed(`an answer or an end after ${what}`)]);
  }

  async function stillWorks(raw, id) {
    raw.send(`42${id}["echo","well"]`);
    assert.equal(await raw.acknowledgement(id), "well");
  }

  /** JSON in a text in JSON in a text: Rust's parser of values would open each text in the one around it, and allow each
   * of them its own nesting. */
  function textsWithinEachOther(levels) {
    const escaped = (text) => text.replaceAll("\\", "\\u005c").replaceAll('"', "\\u0022");
    let json = "1";
    for (let level = 0; level < levels; level += 1) {
      const nested = "[".repeat(NESTING) + json + "]".repeat(NESTING);
      json = `{"$serde_json::private::RawValue":"${escaped(nested)}"}`;
    }
    return json;
  }

  test("JSON in texts within each other is refused where it is decoded, with and without attachments", async () => {
    const raw = await rawClient();
    for (const levels of [1, 40, 250]) {
      const nested = textsWithinEachOther(levels);
      raw.send(`42${levels}["relay-decoded",${nested}]`);
      assertError((await raw.acknowledgement(levels)).error, "INVALID_PAYLOAD");
      raw.send(`451-${levels + 1000}["relay-decoded",${nested},{"_placeholder":true,"num":0}]`);
      raw.send(Buffer.from([1]));
      assertError((await raw.acknowledgement(levels + 1000)).error, "INVALID_PAYLOAD");
    }
    await stillWorks(raw, 3);
  });

  for (const name of RESERVED) {
    test(`the reserved event name ${name} ends the connection, as in the reference server`, async () => {
      const raw = await rawClient();
      raw.send(`427["${name}"]`);
      await raw.closed();
    });
  }

  test("an event name of 65 bytes is refused and one of 64 is only unknown", async () => {
    const raw = await rawClient();
    for (const [id, name, code] of [
      [1, "e".repeat(65), "INVALID_NAME"],
      [2, "ü".repeat(33), "INVALID_NAME"],
      [3, "", "INVALID_NAME"],
      [4, "e".repeat(64), "UNKNOWN_EVENT"],
    ]) {
      raw.send(`42${id}${JSON.stringify([name])}`);
      const answer = await raw.acknowledgement(id);
      assertError(answer.error, code, `${name}: ${JSON.stringify(answer)}`);
    }
    raw.send(`42["${"e".repeat(65)}"]`);
    assertError(await raw.error(), "INVALID_NAME", "without an acknowledgement");
    await stillWorks(raw, 5);
  });

  for (const [what, frame] of [
    ["an array", `429["echo",${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}]`],
    ["an object", `429["echo",${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}]`],
    ["an array that never ends", `429["echo",${"[".repeat(DEPTH)}`],
    ["an array where a room is expected", `429["join",${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}]`],
  ]) {
    test(`${what}, ${DEPTH.toLocaleString("en")} levels deep, is answered or ends only its own connection`, async () => {
      const raw = await rawClient();
      raw.send(frame);
      const outcome = await Promise.race([raw.acknowledgement(9), raw.error(), raw.closed()]);
      if (raw.isOpen) await stillWorks(raw, 10);
      else assert.match(String(outcome), /^closed/);
      if (outcome?.error) assertError(outcome.error, "INVALID_PAYLOAD", JSON.stringify(outcome));
    });
  }

  for (const [what, head] of [
    ["an event", '451-["echo",{"_placeholder":true,"num":0}]'],
    ["an event with an acknowledgement", '451-3["echo",{"_placeholder":true,"num":0}]'],
    ["an acknowledgement", '461-3[{"_placeholder":true,"num":0}]'],
  ]) {
    test(`a text packet where the binary of ${what} belongs ends only its own connection`, async () => {
      const raw = await rawClient();
      raw.send(head);
      raw.send('42["echo","too early"]');
      await raw.closed(`a closed connection after ${head}`);
    });
  }

  test("binary that nobody announced, or that never comes, harms nobody", async () => {
    const [unannounced, promised, crowded] = [await rawClient(), await rawClient(), await rawClient()];
    unannounced.send(Buffer.from([1, 2, 3]));
    promised.send('451-["echo",{"_placeholder":true,"num":0}]');
    crowded.send('459999999-["echo",{"_placeholder":true,"num":0}]');
    crowded.send(Buffer.alloc(8));
    await answersOrEnds(unannounced, 1, "unannounced binary");
    await answersOrEnds(crowded, 2, "a binary packet of many parts");
  });

  const GARBAGE = [
    "", "4", "5", "6", "9", "x", "49", "4x", "42", "42[", "42[]", "42[1]", "42[null]", "42{}", '42"text"', '42["echo"',
    '42["echo",]', '42["echo",1]]', "42-1[]", '4299999999999999999999["echo"]', "43", "43[]", "437", '437{"a":1}', "44", "45",
    "451", "451-", '45-["echo"]', '45x-["echo"]', "46", '42/nowhere,["echo"]', '42/admin,["echo"]', "40/nowhere,", "40", "40{",
    '40{"a":', "41/nowhere,", '42["\u0000"]', '42["echo","\ud800"]', "\u0000", "0{}", "1probe", "3probe", "2probe",
  ];
  test(`${GARBAGE.length} kinds of garbage end at most their own connection`, async () => {
    for (const [number, frame] of GARBAGE.entries()) {
      const raw = await rawClient();
      raw.send(frame);
      await answersOrEnds(raw, 1000 + number, JSON.stringify(frame));
      assert.deepEqual(await askAll(healthy, "echo", number), [number], frame);
      raw.close();
    }
  });

  test("leaving the namespace and going on to send harms nobody", async () => {
    const raw = await rawClient();
    raw.send("41");
    raw.send('42["echo","after leaving"]');
    await until("the server has forgotten the client", async () => (await server.json("/state")).clients === 1);
  });

  for (const [what, frame, code] of [
    ["long names", `42["${"e".repeat(65)}"]`, "INVALID_NAME"],
    ["unknown events", '42["no-such-event",1]', "UNKNOWN_EVENT"],
    ["wrong shapes", '42["join",{"room":1}]', "INVALID_PAYLOAD"],
  ]) {
    test(`${MANY} ${what} at once are all answered`, async () => {
      const raw = await rawClient();
      for (let sent = 0; sent < MANY; sent += 1) raw.send(frame);
      await until("an error event for each", () => raw.errors.length === MANY);
      for (const error of raw.errors) assertError(error, code, what);
      await stillWorks(raw, 11);
    });
  }
});
