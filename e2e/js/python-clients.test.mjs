// The newest python-socketio, synchronous and asyncio, over each transport, and what becomes of it when the server is
// restarted.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { protocolBinary, pythonBinary, withDefaultLimits, withoutPython } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";
import { until, within } from "./support/wait.mjs";

const SCRIPT = fileURLToPath(new URL("support/python_client.py", import.meta.url));
const CHECKS = ["events", "names", "binary", "namespaces", "leaving", "restart"];
/** If each check waits for what never comes. */
const MOST_MS = 90_000;

class PythonClient {
  #child;
  #output = "";

  constructor(...args) {
    this.#child = spawn(pythonBinary(), [SCRIPT, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.#output += text));
    }
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
    process.once("exit", () => this.kill());
  }

  get lines() {
    return this.#output.split("\n");
  }

  kill() {
    this.#child.kill("SIGKILL");
  }
}

describe("python-socketio", { concurrency: true, skip: withoutPython }, () => {
  for (const kind of ["sync", "asyncio"]) {
    for (const transports of ["polling", "websocket", "polling,websocket"]) {
      test(`${kind} (${transports})`, async (context) => {
        const server = await Server.start(protocolBinary(), withDefaultLimits());
        const client = new PythonClient(kind, server.url, transports);
        const restart = async () => {
          await until("the client is ready", () => client.lines.includes("READY"), MOST_MS);
          await server.stop();
          await server.startAgain();
        };
        try {
          await within(MOST_MS, "the client ends", Promise.race([Promise.all([restart(), client.ended]), client.ended]));
          for (const check of CHECKS) {
            await context.test(check, () => {
              assert.ok(client.lines.includes(`PASS ${check}`), client.lines.filter((line) => !line.startsWith("PASS")).join("\n"));
            });
          }
        } finally {
          client.kill();
          await server.stop();
        }
      });
    }
  }
});
