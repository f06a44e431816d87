// A cluster under test: `cargo xtask example chat --nodes N`, read and used as a person would.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chatBinary, serverEnvironment, xtaskBinary } from "./environment.mjs";
import { until, within } from "./wait.mjs";

const START_MS = 60_000;
const STOP_MS = 40_000;
const LOG_TAIL = 6_000;
const ROUTE = "roomwire_route"; // the cookie of examples/cluster/nginx.conf

// Asks the program to stop when standard input ends, which it does with this process however that ends: a program that
// is killed cannot stop what it started.
const KEEPER = 'exec 3<&0; "$@" </dev/null 3<&- & kept=$!; (cat <&3; kill -TERM $kept) >/dev/null 2>&1 & wait $kept';

export class Cluster {
  #child;
  #ended;
  #routes = new Map(); // node → the value of a cookie that leads there
  log = "";
  url = "";
  /** Name of each node that lives → the command that kills it. */
  kills = new Map();

  /** Starts so many nodes; returns when the address has been printed. */
  static async start(nodes) {
    const cluster = new Cluster();
    await cluster.#start(nodes);
    return cluster;
  }

  async #start(nodes) {
    // In a group of its own: the end of this test run kills what is left of the group.
    this.#child = spawn("sh", ["-c", KEEPER, "sh", xtaskBinary(), "example", "chat", "--nodes", String(nodes)], {
      env: { ...serverEnvironment({ ROOMWIRE_PORT: "0" }), ROOMWIRE_CHAT: chatBinary() },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    const keep = (text) => {
      this.log += text;
    };
    this.#child.stdout.setEncoding("utf8").on("data", keep);
    this.#child.stderr.setEncoding("utf8").on("data", keep);
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve({ code: null, signal: null, error }));
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    }).finally(() => this.#child.stdin.end());

    const announced = until("the cluster tells its address", () => /^ {2}redis .*$/m.test(this.log), START_MS);
    const failed = this.#ended.then(({ code, signal, error }) => {
      throw new Error(`the cluster ended at once (${error ?? signal ?? code}):\n${this.logTail}`);
    });
    await Promise.race([announced, failed]);
    [, this.url] = /^chat: (http:\S+) \(Ctrl-C stops it\)$/m.exec(this.log);
    for (const [, name, command] of this.log.matchAll(/^ {2}(\S+) +(kill -9 \d+)$/gm)) this.kills.set(name, command);
    assert.equal(this.kills.size, nodes, this.logTail);
  }

  get nodes() {
    return [...this.kills.keys()];
  }

  get logTail() {
    return this.log.slice(-LOG_TAIL);
  }

  /** Kills a node by the command that was printed for it; returns when that was told. */
  async kill(node) {
    const { status, stderr } = spawnSync("sh", ["-c", this.kills.get(node)]);
    assert.equal(status, 0, String(stderr));
    this.kills.delete(node);
    await until(`the death of ${node} is told`, () => this.log.includes(`\n${node} was killed by signal 9; `));
  }

  /** Options of a client that nginx leads to this node. Which cookie does that is found by trying. */
  async way(node, clients) {
    for (let number = 0; !this.#routes.has(node); number += 1) {
      assert.ok(number < 200, `no cookie leads to ${node}`);
      const options = { transports: ["websocket"], extraHeaders: { cookie: `${ROUTE}=${number}` } };
      const socket = clients.open(this.url, options);
      const welcome = within(10_000, "a node says welcome", new Promise((resolve) => socket.once("welcome", resolve)));
      this.#routes.set((await welcome).node, String(number));
      socket.disconnect();
    }
    return { extraHeaders: { cookie: this.cookie(node) } };
  }

  cookie(node) {
    return `${ROUTE}=${this.#routes.get(node)}`;
  }

  /** The same way for a browser's context. */
  async browserWay(node, clients) {
    await this.way(node, clients);
    const { hostname } = new URL(this.url);
    const cookie = { name: ROUTE, value: this.#routes.get(node), domain: hostname, path: "/" };
    return { storageState: { cookies: [{ ...cookie, expires: -1, httpOnly: true, secure: false, sameSite: "Lax" }], origins: [] } };
  }

  /** Asks it to stop; it must end in good order and leave nothing behind. */
  async stop() {
    this.#child.stdin.end();
    const end = await within(STOP_MS, `the cluster ends when it is asked to:\n${this.logTail}`, this.#ended);
    assert.deepEqual(end, { code: 0, signal: null }, `the cluster's end, after:\n${this.logTail}`);
    const ids = [...this.kills.values()].map((command) => Number(command.split(" ").at(-1)));
    ids.push(Number(/^ {2}redis .*process (\d+)$/m.exec(this.log)[1]));
    for (const id of ids) assert.throws(() => process.kill(id, 0), { code: "ESRCH" }, `process ${id} was left behind`);
    await assert.rejects(fetch(this.url), "nobody answers any more");
  }
}
