// Records what the official parser makes of packets, for `crates/core/tests/official_packets.rs`.
//
// It takes the parser from `e2e`, where `npm ci` installs it, or from the folder given as the argument:
//
//     node crates/core/tests/packets/capture.mjs [FOLDER_WITH_NODE_MODULES]
//
// `encoded.jsonl` has packets that the parser encodes, `received.jsonl` messages that it decodes or rejects. Without a
// change of the parser or of this file the output is the same, byte for byte.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { encodedCases } from "./encoded-cases.mjs";
import { receivedCases } from "./received-cases.mjs";

const here = import.meta.dirname;
const folder = resolve(process.argv[2] ?? join(here, "../../../../e2e"));
const require = createRequire(join(folder, "package.json"));
const { version } = JSON.parse(readFileSync(join(folder, "node_modules/socket.io-parser/package.json"), "utf8"));
const { Decoder, Encoder, PacketType } = require("socket.io-parser");

const isBytes = (value) => value instanceof Uint8Array || value instanceof ArrayBuffer;
const bytesOf = (value) => [...new Uint8Array(value)];
// A lone surrogate, which JSON in UTF-8 can only hold as an escape, becomes the replacement character.
const wellFormed = (json) =>
  json.replaceAll(/\\(ud[89a-f][0-9a-f]{2}|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape));

function decode(messages) {
  const packets = [];
  const decoder = new Decoder();
  decoder.on("decoded", (packet) => packets.push(packet));
  try {
    for (const message of messages) decoder.add(typeof message === "string" ? message : Buffer.from(message));
  } catch (error) {
    return { error: error.message };
  }
  return { packets };
}

function recordEncoded({ type, nsp, id, data }) {
  const encoded = new Encoder().encode({ type: PacketType[type], nsp, id, data });
  const messages = encoded.map((message) => (isBytes(message) ? bytesOf(message) : message));
  const { packets, error } = decode(messages);
  if (error || packets.length !== 1) throw new Error(`the parser rejects its own packet: ${messages[0]}`);
  const record = { messages, type, nsp, id };
  if (data === undefined) return { ...record, arguments: "" };
  const payload = messages[0].slice(messages[0].search(/[[{"]/));
  if (!Array.isArray(data)) return { ...record, arguments: payload };
  // Placeholders are in the text in place of binary values.
  const elements = JSON.parse(payload);
  if (type === "EVENT") record.name = String(elements.shift());
  return { ...record, arguments: JSON.stringify(elements).slice(1, -1) };
}

function plain(value) {
  if (isBytes(value)) return { $bytes: bytesOf(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

function recordReceived(messages) {
  const { packets, error } = decode(messages);
  if (error) return { messages, error };
  return {
    messages,
    packets: packets.map(({ type, nsp, id, data }) => ({ type: PacketType[type], nsp, id, data: plain(data) })),
  };
}

function write(name, records) {
  const lines = [...new Set(records.map((record) => wellFormed(JSON.stringify(record))))];
  writeFileSync(join(here, name), [JSON.stringify({ parser: version }), ...lines].join("\n") + "\n");
  console.log(`${name}: ${lines.length} cases by socket.io-parser ${version}`);
}

write("encoded.jsonl", encodedCases().map(recordEncoded));
write("received.jsonl", receivedCases().map(recordReceived));
