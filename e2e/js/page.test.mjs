// The chat page's own rules, without a browser: words for every error, days, names.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

const PAGE = "../../examples/chat/page";
const { initials, tint, usableName } = await import(`${PAGE}/person.js`);
const { Problem, SENTENCES } = await import(`${PAGE}/problem.js`);
const { dayName, moment, sameDay } = await import(`${PAGE}/time.js`);

describe("the words for errors", () => {
  test("every documented code has a sentence that is no code", async () => {
    const documentation = await readFile(new URL("../../docs/error-codes.md", import.meta.url), "utf8");
    const codes = [...documentation.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    assert.ok(codes.length >= 19, `only ${codes.length} codes found in the documentation`);
    for (const code of codes) {
      assert.ok(code in SENTENCES, `no sentence for ${code}`);
      for (const about of [{}, { room: "duo" }]) {
        const sentence = new Problem({ code, message: "raw message" }).sentence(about);
        assert.match(sentence, /^[A-Z“].*\.$/, code);
        assert.doesNotMatch(sentence, /[A-Z]{3}|undefined|raw message/, code);
      }
    }
  });

  test("a sentence names the room, the field and the time to wait", () => {
    const say = (answer, about) => new Problem(answer).sentence(about);
    assert.equal(say({ code: "ROOM_FULL" }, { room: "duo" }), "The room “duo” is full. Try another room or come back later.");
    assert.match(say({ code: "INVALID_PAYLOAD", field: "message" }), /\bmessage\b/);
    assert.match(say({ code: "RATE_LIMITED", retryAfterMs: 2_100 }), /in 3 seconds/);
  });

  test("a code of the application's own shows the server's message", () => {
    assert.equal(new Problem({ code: "NOT_YOUR_TURN", message: "Wait for Ada" }).sentence(), "That did not work: Wait for Ada");
  });

  test("a refused connection is understood in each of its forms", () => {
    const refusals = [
      [Problem.fromRefusal({ message: "Not authorized", data: { code: "UNAUTHORIZED" } }), "UNAUTHORIZED", false],
      [Problem.fromRefusal({ message: "SHUTTING_DOWN: connect again" }), "SHUTTING_DOWN", true],
      [Problem.fromRefusal({ message: "Invalid namespace" }), "REFUSED", false],
      [Problem.fromHandshake({ context: { responseText: '{"error":{"code":"MAX_CONNECTIONS","message":"m"}}' } }), "MAX_CONNECTIONS", true],
      [Problem.fromHandshake({ context: { responseText: '{"code":"SHUTTING_DOWN","message":"m"}' } }), "SHUTTING_DOWN", true],
    ];
    for (const [problem, code, passing] of refusals) assert.deepEqual([problem.code, problem.passing], [code, passing]);
    assert.equal(Problem.fromHandshake({ context: { responseText: "<html>" } }), null);
    assert.equal(Problem.fromHandshake({ message: "xhr poll error" }), null);
  });
});

describe("the names of days", () => {
  const now = new Date(2026, 2, 15, 0, 30);
  const at = (...parts) => new Date(...parts);

  test("near days have names and far ones a date", () => {
    assert.equal(dayName(at(2026, 2, 15, 0, 1), now), "Today");
    assert.equal(dayName(at(2026, 2, 14, 23, 59), now), "Yesterday");
    assert.equal(dayName(at(2026, 2, 14, 0, 0), now), "Yesterday");
    const lastWeek = dayName(at(2026, 2, 10), now);
    assert.match(lastWeek, /10/);
    assert.doesNotMatch(lastWeek, /2026/);
    assert.match(dayName(at(2025, 10, 3), now), /2025/);
  });

  test("a day ends at midnight, not after 24 hours", () => {
    assert.equal(sameDay(at(2026, 2, 14, 23, 59), now), false);
    assert.equal(sameDay(at(2026, 2, 15, 23, 59), now), true);
  });

  test("a time that cannot be read is now", () => {
    assert.equal(moment("2026-03-15T10:00:00Z").getTime(), Date.UTC(2026, 2, 15, 10));
    assert.ok(Math.abs(moment("yesterday-ish") - Date.now()) < 5_000);
  });
});

describe("the names of people", () => {
  test("1 to 40 letters, without the blanks around them", () => {
    assert.equal(usableName("  Ada \n Lovelace "), "Ada Lovelace");
    assert.equal(usableName("   "), null);
    assert.equal(usableName("🙂".repeat(40)), "🙂".repeat(40));
    assert.equal(usableName("x".repeat(41)), null);
  });

  test("initials and tint belong to the name", () => {
    assert.deepEqual(["Ada Lovelace", "grace", "Ana Maria da Silva", "🙂"].map(initials), ["AL", "GR", "AS", "🙂"]);
    assert.equal(tint("Ada"), tint("Ada"));
    assert.match(tint(""), /^[0-7]$/);
  });
});
