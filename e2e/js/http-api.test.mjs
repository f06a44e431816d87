// Every route of the HTTP API against its OpenAPI document, with requests that a fuzzer makes of the document: valid ones
// must be accepted, invalid ones refused, and every answer must be as documented.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chatBinary, pythonBinary, withoutPython } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const HOOKS = fileURLToPath(new URL("support", import.meta.url));
const TOKEN = "token-of-the-e2e-tests";
const SEED = process.env.ROOMWIRE_E2E_SEED ?? "1";
const MOST_MS = 120_000;

/** Routes that do not answer at once, and the drain, which the only node refuses. */
const LIVE = "/(follow|drain)$";

describe("the HTTP API", { skip: withoutPython }, () => {
  let server, url, folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "roomwire-api-"));
    server = await Server.start(chatBinary(), {
      ROOMWIRE_API__PORT: "0",
      ROOMWIRE_API__TOKEN: TOKEN,
      // Larger than all bodies of the fuzzer, which does not take 413 for the refusal of an invalid one.
      ROOMWIRE_API__BODY_LIMIT: "1000000",
    });
    url = /^api: (http:\S+)$/m.exec(server.log)?.[1];
    assert.ok(url, server.log);
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true });
  });

  /** Runs the fuzzer; returns when it found nothing. */
  async function fuzz(...options) {
    const program = join(dirname(pythonBinary()), "schemathesis");
    const child = spawn(
      program,
      ["run", `${url}/openapi.json`, "--header", `Authorization: Bearer ${TOKEN}`, "--checks", "all", "--no-color", "--seed", SEED, ...options],
      { cwd: folder, env: { ...process.env, NO_PROXY: "127.0.0.1", SCHEMATHESIS_HOOKS: "schemathesis_hooks", PYTHONPATH: HOOKS }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      assert.equal(await within(MOST_MS, "the fuzzer ends", ended), 0, `${output}\nROOMWIRE_E2E_SEED=${SEED}`);
      assert.match(output, /Test cases:\s+\d{2,} generated, \d+ passed/, output);
    } finally {
      child.kill("SIGKILL");
    }
  }

  test("every route answers as its document says", () => fuzz("--exclude-path-regex", LIVE, "--max-examples", "40"));

  test("so do live streams and the drain of the only node and of unknown nodes", () =>
    fuzz("--include-path-regex", LIVE, "--max-examples", "5", "--phases", "examples,coverage,fuzzing"));

  test("the server has logged no error", () => assert.doesNotMatch(server.log, /ERROR|panicked/));
});
