// The packets that `capture.mjs` has the official parser encode.

const NAMESPACES = ["/", "/chat", "/a/b?token=1&x=y", "/räume", "/🎉", "/a b", "/x;y"];
const IDS = [undefined, 0, 7, 1234567890123, Number.MAX_SAFE_INTEGER];

const NAMES = [
  "message",
  "",
  "room/join",
  "größe",
  "a&b<c>",
  "🎉",
  'say "hi"',
  "back\\slash",
  "line\nbreak",
  "tab\tnul\u0000",
  "\u2028\u2029",
  "_placeholder",
  "Connect",
  "connecting",
  "x".repeat(300),
  5,
  0,
  -1.5,
  1e21,
  "half \ud83c",
  "\udf89",
];

const bytes = (...values) => new Uint8Array(values);
const many = (count) => Array.from({ length: count }, (_, index) => bytes(index));

const ARGUMENTS = [
  [],
  [null],
  [undefined],
  [true, false],
  [1, -1, 0, -0, 1.5, 1e21, 1e-7, 117.63331139400017, Number.MAX_SAFE_INTEGER, NaN, Infinity],
  ["text", "", '"\\/\b\f\n\r\t\u0001\u007f\u2028', "größe 🎉", "half \ud83c", "\udf89 half", "[[[{{{", "]}", ","],
  [[]],
  [{}],
  [[[[[]]]]],
  [{ a: { b: { c: [1, { d: null }] } } }],
  [{ zebra: 1, apple: 2, 10: 3, 9: 4, "": 5, __proto__x: 6 }],
  [new Date(0)],
  [{ toJSON: () => ({ seen: true }) }],
  [new Map([[1, 2]])],
  [{ skipped: undefined, kept: null }],
  [[undefined, () => 1]],
  [{ _placeholder: true, num: 0 }],
  [{ _placeholder: false, num: 7 }],
  [JSON.parse('{"__proto__":{"a":1}}')],
  [bytes(1, 2, 3)],
  [bytes()],
  [bytes(1).buffer],
  [Buffer.from("text")],
  [Buffer.from("sliced").subarray(2, 4)],
  ["a", bytes(1), null, bytes(2)],
  [{ name: "file", parts: [bytes(1), [bytes(2, 2)]] }],
  [[[[bytes(9)]]]],
  many(10),
  [many(5), ...many(5)],
  [{ toJSON: () => ({ inner: bytes(4) }) }],
  [{ "größe \ud83c": bytes(1), _placeholder: 1 }],
  [bytes(...Array(300).keys())],
];

const AUTH = [
  undefined,
  {},
  { token: "123" },
  { token: "größe \ud83c", nested: { a: [1, 2] } },
  { pid: "p", offset: "o" },
  { sid: "Ab3x", pid: "p" },
];
const ERRORS = [
  { message: "Invalid namespace" },
  { message: 'no "x"\n', data: { code: 1, nested: [null] } },
  "only text",
  {},
];

// Namespaces and ids take turns, so that each of them meets many payloads.
export function encodedCases() {
  let turn = 0;
  const packet = (type, data) => {
    turn += 1;
    const id = IDS[turn % IDS.length];
    return { type, nsp: NAMESPACES[turn % NAMESPACES.length], id: type === "ACK" ? (id ?? turn) : id, data };
  };
  const plain = (type, data) => ({ ...packet(type, data), id: undefined });
  const repeated = (count, make) => Array.from({ length: count }, make).flat();
  return [
    ...repeated(NAMESPACES.length, () => [
      ...AUTH.map((auth) => plain("CONNECT", auth)),
      ...ERRORS.map((error) => plain("CONNECT_ERROR", error)),
      plain("DISCONNECT"),
    ]),
    ...repeated(3, () => NAMES.map((name) => packet("EVENT", [name, 1]))),
    ...repeated(3, () => ARGUMENTS.map((values) => packet("EVENT", ["message", ...values]))),
    ...repeated(2, () => ARGUMENTS.map((values) => packet("ACK", values))),
  ];
}
