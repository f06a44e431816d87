// A server under test: started on a free loopback port, stopped by SIGTERM, its logs kept.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { createServer } from "node:net";
import { serverEnvironment } from "./environment.mjs";
import { until, within } from "./wait.mjs";

const HOST = "127.0.0.1";
const START_MS = 20_000;
const STOP_MS = 15_000; // more than drain.timeout
const LOG_TAIL = 4_000;

const running = new Set();
// A test run that dies must not leave servers behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
process.stdout.on("error", () => process.exit(1));

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once("error", reject).listen(0, HOST, resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Server {
  #binary;
  #environment;
  #child = null;
  #ended = null;
  log = "";

  /** Starts `binary`; returns when it answers over HTTP. */
  static async start(binary, environment = {}) {
    const server = new this(binary, environment, await freePort());
    await server.startAgain();
    return server;
  }

  constructor(binary, environment, port) {
    this.#binary = binary;
    this.#environment = environment;
    this.port = port;
    const scheme = environment.ROOMWIRE_SSL === "true" ? "https" : "http";
    this.url = `${scheme}://${HOST}:${port}`;
  }

  get isRunning() {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it on the port it had. */
  async startAgain() {
    assert.ok(!this.isRunning, "the server runs already");
    const child = spawn(this.#binary, [], {
      env: serverEnvironment({ ...this.#environment, ROOMWIRE_HOST: HOST, ROOMWIRE_PORT: String(this.port) }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    running.add(child);
    const keep = (text) => {
      this.log += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => resolve({ code: null, signal: null, error }));
      child.once("close", (code, signal) => resolve({ code, signal }));
    }).finally(() => running.delete(child));

    const answers = until(`${this.#binary} answers on ${this.url}`, () => this.get("/"), START_MS);
    const failed = this.#ended.then(({ code, signal, error }) => {
      throw new Error(`the server ended at once (${error ?? signal ?? code}):\n${this.logTail}`);
    });
    await Promise.race([answers, failed]);
  }

  get logTail() {
    return this.log.slice(-LOG_TAIL);
  }

  /** Whom clients of this server must trust: its certificate; nobody when it speaks plain HTTP. */
  async trust() {
    const certificate = this.#environment.ROOMWIRE_TLS__CERT;
    return certificate ? { ca: await readFile(certificate, "utf8") } : {};
  }

  /** The body of a GET, which must be answered with 200. */
  get(path) {
    return this.#request("GET", path);
  }

  /** As `get`, with an empty body. */
  post(path) {
    return this.#request("POST", path);
  }

  async #request(method, path) {
    const { request } = this.url.startsWith("https:") ? https : http;
    const options = { method, agent: false, timeout: 5_000, ...(await this.trust()) };
    const [status, body] = await new Promise((resolve, reject) => {
      const asked = request(this.url + path, options, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text) => (body += text));
        response.once("end", () => resolve([response.statusCode, body])).once("error", reject);
      });
      asked.once("timeout", () => asked.destroy(new Error(`${method} ${path} took too long`)));
      asked.once("error", reject).end();
    });
    assert.equal(status, 200, `${method} ${path}: ${status} ${body}`);
    return body;
  }

  async json(path) {
    return JSON.parse(await this.get(path));
  }

  /** How many lines of level ERROR `roomwire-e2e` has logged. */
  async errors() {
    return (await this.json("/logs/errors")).errors;
  }

  /** Asks it to stop; it must end by itself, in time and with status 0. */
  async stop() {
    if (this.#child === null) return;
    const child = this.#child;
    this.#child = null;
    child.kill("SIGTERM");
    try {
      const end = await within(STOP_MS, `the server ends after SIGTERM:\n${this.logTail}`, this.#ended);
      assert.deepEqual(end, { code: 0, signal: null }, `the server's end, after:\n${this.logTail}`);
    } finally {
      child.kill("SIGKILL");
    }
  }
}
