// The handshake of websockets over HTTP, their frames, and the codes with which they are closed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { exchange } from "./support/http-exchange.mjs";
import { Server } from "./support/server.mjs";

const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAECAwQFBgcICQoLDA0ODw==",
};
const MASK = [0x80, 0, 0, 0, 0]; // the bit beside the length, and the key

/** A masked frame of less than 126 bytes. */
function frame(head, ...content) {
  const [bit, ...key] = MASK;
  return Buffer.from([head, bit | content.length, ...key, ...content]);
}

describe("websockets over HTTP", () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  test("a complete handshake is accepted", async () => {
    assert.equal((await exchange(server.url, WEBSOCKET, { headers: HANDSHAKE })).status, 101);
  });

  for (const [what, change] of [
    ["a version", { "sec-websocket-version": undefined }],
    ["a version that is supported", { "sec-websocket-version": "12" }],
    ["a key", { "sec-websocket-key": undefined }],
    ["a key of 16 bytes", { "sec-websocket-key": "short" }],
  ]) {
    test(`a handshake without ${what} is answered with 400, a reason and the version`, async () => {
      const given = Object.entries({ ...HANDSHAKE, ...change }).filter(([, value]) => value !== undefined);
      const { status, headers, text } = await exchange(server.url, WEBSOCKET, { headers: Object.fromEntries(given) });
      assert.equal(status, 400);
      assert.notEqual(text, "");
      assert.match(headers["sec-websocket-version"] ?? "", /^13\b/);
    });
  }

  for (const [protocols, first] of [[["chat"], "chat"], [["v2.chat", "chat"], "v2.chat"], [[], ""]]) {
    test(`a websocket that offers the protocols [${protocols}] gets "${first}"`, async () => {
      const socket = await FrameSocket.connected(server.url, { protocols });
      assert.equal(socket.protocol, first);
      socket.terminate();
    });
  }

  test("a text in several frames with pings between them is one event, and the pings are answered", async () => {
    const socket = await FrameSocket.connected(server.url);
    const pong = socket.pong("1");
    socket.sendFragments("42", '7["echo",', '"größe"]');
    await pong;
    assert.equal(await socket.next(), '437["größe"]');
    socket.terminate();
  });

  for (const code of [1000, 1001, 3000, 4999]) {
    test(`a websocket that the client closes with code ${code} is closed with the same`, async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.close(code);
      assert.equal(await socket.closed(), code);
    });
  }

  for (const [what, code, send] of [
    ["text larger than maxPayload", 1009, (socket) => socket.send("4".repeat(socket.handshake.maxPayload + 1))],
    ["binary larger than maxPayload", 1009, (socket) => socket.send(Buffer.alloc(socket.handshake.maxPayload + 1))],
    ["text that is no UTF-8", 1007, (socket) => socket.write(frame(0x81, 0x34, 0xc3, 0x28))],
    ["an unmasked frame", 1002, (socket) => socket.write(Buffer.from([0x81, 0x01, 0x34]))],
    ["a reserved bit", 1002, (socket) => socket.write(frame(0xc1, 0x34))],
    ["a reserved opcode", 1002, (socket) => socket.write(frame(0x83, 0x34))],
    ["a continuation of nothing", 1002, (socket) => socket.write(frame(0x80, 0x34))],
    ["a ping in two fragments", 1002, (socket) => socket.write(frame(0x09))],
  ]) {
    test(`${what} closes a websocket with code ${code}`, async () => {
      const socket = await FrameSocket.connected(server.url);
      send(socket);
      assert.equal(await socket.closed(), code);
    });
  }
});
