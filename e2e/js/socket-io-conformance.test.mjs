// The cases of the Socket.IO v5 protocol suite, and the official server's answers to packets that are out of turn. The
// suite repeats cases of Engine.IO; those are in engine-io-conformance.test.mjs.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { PollingSession } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";

const PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
const ATTACHMENTS = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];

describe("Socket.IO on default limits", () => {
  let server;
  const sockets = [];

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  afterEach(() => sockets.splice(0).forEach((socket) => socket.terminate()));
  after(() => server?.stop());

  async function open() {
    const socket = await FrameSocket.open(server.url);
    sockets.push(socket);
    return socket;
  }

  async function connected() {
    const socket = await FrameSocket.connected(server.url);
    sockets.push(socket);
    return socket;
  }

  /** The content of the next frame, which is a CONNECT packet with this head. */
  async function connectPacket(socket, head) {
    const frame = await socket.next("the CONNECT packet");
    assert.ok(frame.startsWith(`${head}{`), frame);
    const content = JSON.parse(frame.slice(head.length));
    assert.deepEqual(Object.keys(content).filter((key) => key !== "pid"), ["sid"]);
    assert.equal(typeof content.sid, "string");
    return content;
  }

  async function assertAnswers(socket, namespace = "") {
    socket.send(`42${namespace}99["echo","still here"]`);
    assert.equal(await socket.next(), `43${namespace}99["still here"]`);
  }

  for (const [namespace, packet] of [["the main namespace", ""], ["a custom namespace", "/custom,"]]) {
    test(`a client connects to ${namespace}`, async () => {
      const socket = await open();
      socket.send(`40${packet}`);
      await connectPacket(socket, `40${packet}`);
      await assertAnswers(socket, packet);
    });

    test(`a client connects to ${namespace} with a payload, which handlers see`, async () => {
      const socket = await open();
      socket.send(`40${packet}{"token":"123"}`);
      await connectPacket(socket, `40${packet}`);
      assert.equal(await socket.next(), `42${packet}["auth",{"token":"123"}]`);
    });
  }

  test("each namespace has an id of 20 characters of its own, and the session has another that no CONNECT packet shows", async () => {
    const socket = await open();
    socket.send("40", "40/custom,");
    const frames = [await socket.next(), await socket.next()].sort();
    const ids = frames.map((frame) => JSON.parse(frame.slice(frame.indexOf("{"))).sid);
    for (const id of ids) assert.match(id, /^[\w-]{20}$/);
    assert.equal(new Set([...ids, socket.handshake.sid]).size, 3);
  });

  test("a client that left a namespace, or was disconnected from it, comes back with another id", async () => {
    const socket = await open();
    const ids = [];
    for (const leave of ["41/custom,", '42/custom,["kick-me"]', "41/custom,"]) {
      socket.send("40/custom,");
      ids.push((await connectPacket(socket, "40/custom,")).sid);
      socket.send(leave);
      if (leave.startsWith("42")) assert.equal(await socket.next(), "41/custom,");
    }
    assert.equal(new Set(ids).size, ids.length, ids.join(" "));
  });

  for (const packet of ["40/random", "40/random,", '40/random,{"token":"123"}']) {
    test(`the connection to an unknown namespace is refused: ${packet}`, async () => {
      const socket = await open();
      socket.send(packet);
      const frame = await socket.next();
      assert.match(frame, /^44\/random,\{/);
      assert.equal(JSON.parse(frame.slice("44/random,".length)).message, "Invalid namespace");
      socket.send("40");
      await connectPacket(socket, "40");
    });
  }

  const OUT_OF_TURN = ["4abc", '42["echo","too early"]', '421["echo","too early"]', "41", '43["echo"]', '44{"message":"no"}'];
  for (const packet of [...OUT_OF_TURN, "40[]", '40"text"', "40{"]) {
    test(`the packet ${packet} in place of CONNECT closes the connection`, async () => {
      const socket = await open();
      socket.send(packet);
      await socket.closed(undefined, 2_000);
    });
  }

  test("a packet in place of CONNECT closes a session over polling", async () => {
    const session = await PollingSession.open(server.url);
    await session.post('42["echo","too early"]');
    assert.ok(["1", "6"].includes((await session.poll({ ms: 2_000 })).text.at(-1)) || (await session.isClosed()));
    assert.ok(await session.isClosed());
  });

  test("a second CONNECT to a namespace closes the connection", async () => {
    const socket = await connected();
    socket.send("40");
    await socket.closed(undefined, 2_000);
  });

  test("an event for a namespace that is not joined closes the connection", async () => {
    const socket = await connected();
    socket.send('42/custom,["echo","too early"]');
    await socket.closed(undefined, 2_000);
  });

  test("a client that leaves the main namespace keeps its connection", async () => {
    const socket = await connected();
    socket.send("41", "40/custom");
    await connectPacket(socket, "40/custom,");
    await assertAnswers(socket, "/custom,");
  });

  test("a client connects to a custom namespace and leaves it, and the main namespace stays", async () => {
    const socket = await connected();
    socket.send("40/custom");
    await connectPacket(socket, "40/custom,");
    socket.send("41/custom", '42["message","message to main namespace"]');
    assert.equal(await socket.next(), '42["message-back","message to main namespace"]');
  });

  test("an event is plain text", async () => {
    const socket = await connected();
    socket.send('42["message",1,"2",{"3":[true]}]');
    assert.equal(await socket.next(), '42["message-back",1,"2",{"3":[true]}]');
  });

  test("an event has binary attachments", async () => {
    const socket = await connected();
    socket.send(`452-["message",${PLACEHOLDERS}]`, ...ATTACHMENTS);
    assert.deepEqual(await socket.take(3), [`452-["message-back",${PLACEHOLDERS}]`, ...ATTACHMENTS]);
  });

  test("an event is acknowledged", async () => {
    const socket = await connected();
    socket.send('42456["echo",1,"2",{"3":[false]}]');
    assert.equal(await socket.next(), '43456[1,"2",{"3":[false]}]');
  });

  test("an event with binary attachments is acknowledged", async () => {
    const socket = await connected();
    socket.send(`452-789["echo",${PLACEHOLDERS}]`, ...ATTACHMENTS);
    assert.deepEqual(await socket.take(3), [`462-789[${PLACEHOLDERS}]`, ...ATTACHMENTS]);
  });

  test("an event of a custom namespace with binary attachments is acknowledged", async () => {
    const socket = await open();
    socket.send("40/custom,");
    await connectPacket(socket, "40/custom,");
    socket.send(`452-/custom,789["echo",${PLACEHOLDERS}]`, ...ATTACHMENTS);
    assert.deepEqual(await socket.take(3), [`462-/custom,789[${PLACEHOLDERS}]`, ...ATTACHMENTS]);
  });

  test("the largest id of an acknowledgement comes back digit by digit", async () => {
    const socket = await connected();
    socket.send('429007199254740991["echo",1]');
    assert.equal(await socket.next(), "439007199254740991[1]");
  });

  test("an acknowledgement that was not asked for is ignored", async () => {
    const socket = await connected();
    socket.send("4399[1]");
    await assertAnswers(socket);
  });

  for (const [what, ...frames] of [
    ["an unknown type", "4abc"],
    ["an unknown type that is a digit", '49["echo"]'],
    ["a payload that is no array", "42{}"],
    ["an empty payload", "42[]"],
    ["an id that is no number", '42abc["echo",1,"2",{"3":[false]}]'],
    ["a number of attachments that is no number", '45x-["echo"]'],
    ["a payload in a DISCONNECT packet", '41{"reason":"none"}'],
    ["text in place of an attachment", '451-["echo",{"_placeholder":true,"num":0}]', '42["echo"]'],
    ["an attachment that was not announced", Buffer.from([1])],
  ]) {
    test(`a packet with ${what} closes the connection`, async () => {
      const socket = await connected();
      socket.send(...frames);
      await socket.closed(undefined, 2_000);
    });
  }
});

test("a connection without a CONNECT packet is closed after limits.handshakeTimeout", async () => {
  const server = await Server.start(protocolBinary(), { ROOMWIRE_LIMITS__HANDSHAKE_TIMEOUT: "500" });
  try {
    const [socket, session] = [await FrameSocket.open(server.url), await PollingSession.open(server.url)];
    const poll = session.poll();
    await socket.closed(undefined, 2_000);
    const { status, text } = await poll;
    assert.ok(status === 400 || ["1", "6"].includes(text), `${status} ${text}`);
    assert.ok(await session.isClosed());
  } finally {
    await server.stop();
  }
});
