// The newest python-socketio, synchronous and asyncio, over each transport, and what becomes of it when the server is
// restarted or the client sleeps for too long.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { protocolBinary, pythonBinary, withDefaultLimits, withoutPython } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const SCRIPT = fileURLToPath(new URL("support/python_client.py", import.meta.url));
const KINDS = ["sync", "asyncio"];
const TRANSPORTS = ["polling", "websocket", "polling,websocket"];
const CHECKS = ["events", "names", "binary", "namespaces", "leaving", "restart"];
const SHORT_PINGS = { ROOMWIRE_PING_INTERVAL: "1000", ROOMWIRE_PING_TIMEOUT: "1000" };
/** If each check waits for what never comes. */
const MOST_MS = 90_000;

const running = new Set();
process.once("exit", () => running.forEach((client) => client.kill()));

class PythonClient {
  #child;
  #output = "";

  /** A client that runs these checks. */
  constructor(kind, url, transports, checks) {
    this.#child = spawn(pythonBinary(), [SCRIPT, kind, url, transports, ...checks], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.#output += text));
    }
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
    running.add(this);
    this.ended.then(() => running.delete(this));
  }

  get lines() {
    return this.#output.split("\n");
  }

  isReady() {
    return until("the client is ready", () => this.lines.includes("READY"), MOST_MS);
  }

  assertPassed(check) {
    assert.ok(this.lines.includes(`PASS ${check}`), this.lines.filter((line) => !line.startsWith("PASS")).join("\n"));
  }

  kill(signal = "SIGKILL") {
    this.#child.kill(signal);
  }
}

/** Runs while the client runs these checks, and waits for their end. */
async function withClient(kind, transports, checks, settings, act) {
  const server = await Server.start(protocolBinary(), withDefaultLimits(settings));
  const client = new PythonClient(kind, server.url, transports, checks);
  try {
    await within(MOST_MS, "the client ends", Promise.race([Promise.all([act(server, client), client.ended]), client.ended]));
    return client;
  } finally {
    client.kill();
    await server.stop();
  }
}

describe("python-socketio", { concurrency: true, skip: withoutPython }, () => {
  for (const kind of KINDS) {
    for (const transports of TRANSPORTS) {
      test(`${kind} (${transports})`, async (context) => {
        const client = await withClient(kind, transports, CHECKS, {}, async (server, client) => {
          await client.isReady();
          await server.stop();
          await server.startAgain();
        });
        for (const check of CHECKS) await context.test(check, () => client.assertPassed(check));
      });

      test(`${kind} reconnects and echoes after it slept until its ping timeout (${transports})`, async () => {
        const client = await withClient(kind, transports, ["ping timeout"], SHORT_PINGS, async (server, client) => {
          const clientCount = async () => (await server.json("/state")).clients;
          await client.isReady();
          assert.notEqual(await clientCount(), 0);
          client.kill("SIGSTOP");
          await until("the client is timed out", async () => (await clientCount()) === 0);
          client.kill("SIGCONT");
        });
        client.assertPassed("ping timeout");
      });
    }
  }
});
