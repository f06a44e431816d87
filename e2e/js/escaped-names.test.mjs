// Event names as other languages write them in JSON, and attachments as base64 text: what official clients for Swift,
// Android, Python and React Native send.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { protocolBinary, withDefaultLimits } from "./support/environment.mjs";
import { FrameSocket } from "./support/frame-socket.mjs";
import { PollingSession, SEPARATOR } from "./support/polling-session.mjs";
import { Server } from "./support/server.mjs";

const NAMES = [
  String.raw`"room\/join"`,
  String.raw`"gr\u00f6\u00dfe"`,
  String.raw`"gr\u00F6\u00DFe"`,
  String.raw`"grö\u00dfe"`,
  String.raw`"a\u0026b"`,
  String.raw`"\u0065cho"`,
];
const UNKNOWN_NAMES = [String.raw`"say \"hi\""`, String.raw`"back\\slash"`, String.raw`"a\nb"`, String.raw`"\ud83c\udf89"`, String.raw`"\ud83c"`];
const BINARY_EVENT = '451-1["echo",{"_placeholder":true,"num":0}]';
const BINARY_ACK = '461-1[{"_placeholder":true,"num":0}]';
const BYTES = Buffer.from([1, 2, 3, 4]);
const BASE64 = `b${BYTES.toString("base64")}`;

describe("names and attachments as other clients write them, on default limits", () => {
  let server;

  before(async () => {
    server = await Server.start(protocolBinary(), withDefaultLimits());
  });
  after(() => server?.stop());

  for (const name of NAMES) {
    test(`an event named ${name} is handled and acknowledged`, async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send(`427[${name},1]`);
      assert.equal(await socket.next(), "437[1]");
      socket.send(`451-8[${name},{"_placeholder":true,"num":0}]`, BYTES);
      assert.deepEqual(await socket.take(2), ['461-8[{"_placeholder":true,"num":0}]', BYTES]);
      socket.terminate();

      const session = await PollingSession.connected(server.url);
      await session.post(`427[${name},1]`);
      assert.equal((await session.poll()).text, "437[1]");
    });
  }

  for (const name of UNKNOWN_NAMES) {
    test(`an event with the unknown name ${name} is acknowledged with an error, and the connection remains`, async () => {
      const socket = await FrameSocket.connected(server.url);
      socket.send(`427[${name},1]`);
      const answer = await socket.next();
      assert.match(answer, /^437\[\{"error":\{/);
      assert.match(answer, /"code":"(UNKNOWN_EVENT|INVALID_NAME)"/);
      socket.send('428["echo","still here"]');
      assert.equal(await socket.next(), '438["still here"]');
      socket.terminate();
    });
  }

  test("base64 text on a websocket is an attachment", async () => {
    const socket = await FrameSocket.connected(server.url);
    socket.send(BINARY_EVENT, BASE64);
    assert.deepEqual(await socket.take(2), [BINARY_ACK, BYTES]);
    socket.terminate();
  });

  test("base64 text is an attachment on a websocket that a session was upgraded to", async () => {
    const session = await PollingSession.connected(server.url);
    const socket = await FrameSocket.probing(server.url, session.sid);
    socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    socket.send("5", BINARY_EVENT, BASE64);
    assert.deepEqual(await socket.take(2), [BINARY_ACK, BYTES]);
    socket.terminate();
  });

  test("a websocket opened with b64=1 gets attachments as base64 text", async () => {
    const socket = new FrameSocket(server.url, "/socket.io/?EIO=4&transport=websocket&b64=1");
    await socket.next("the open packet");
    socket.send("40");
    assert.match(await socket.next("the CONNECT packet"), /^40\{/);
    socket.send(BINARY_EVENT, BASE64);
    assert.deepEqual(await socket.take(2), [BINARY_ACK, BASE64]);
    socket.terminate();
  });

  test("attachments over polling are base64 beside other packets", async () => {
    const session = await PollingSession.connected(server.url);
    await session.post([BINARY_EVENT, BASE64, '422["echo",2]'].join(SEPARATOR));
    assert.deepEqual(await session.packets(3), [BINARY_ACK, BASE64, "432[2]"]);
  });
});
