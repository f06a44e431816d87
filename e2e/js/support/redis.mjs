// A Redis of a test's own, gone with the test run.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { freePort } from "./server.mjs";
import { until, within } from "./wait.mjs";

const HOST = "127.0.0.1";
const START_MS = 20_000;
const STOP_MS = 10_000;

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Redis {
  #child;
  #ended;
  log = "";

  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    await redis.#start();
    return redis;
  }

  get url() {
    return `redis://${HOST}:${this.port}`;
  }

  async #start() {
    const settings = ["--bind", HOST, "--port", String(this.port), "--save", "", "--appendonly", "no"];
    this.#child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.log += text;
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", resolve).once("close", resolve);
    }).finally(() => running.delete(this.#child));
    const failed = this.#ended.then((end) => {
      throw new Error(`redis-server ended at once (${end}):\n${this.log}`);
    });
    await Promise.race([until("redis-server listens", () => this.#listens(), START_MS), failed]);
  }

  #listens() {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, HOST, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", reject);
    });
  }

  async stop() {
    this.#child.kill("SIGTERM");
    await within(STOP_MS, "redis-server ends after SIGTERM", this.#ended);
  }
}
