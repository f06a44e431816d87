// Chats that share a Redis behind nginx, as examples/cluster/nginx.conf sets it up, and can be restarted one by one.
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chatBinary, nginxBinary } from "./environment.mjs";
import { Redis } from "./redis.mjs";
import { freePort, Server } from "./server.mjs";
import { until } from "./wait.mjs";

const SHOWN = new URL("../../../examples/cluster/nginx.conf", import.meta.url);
const TEMPORARY = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"];

export class RollingCluster {
  #redis;
  #nginx;
  #folder;
  nodes = [];

  static async start(count, environment = {}) {
    const cluster = new RollingCluster();
    cluster.#redis = await Redis.start();
    for (let number = 1; number <= count; number += 1) {
      cluster.nodes.push(
        await Server.start(chatBinary(), {
          ROOMWIRE_STATE__URLS: cluster.#redis.url,
          ROOMWIRE_NODE_ID: `node-${number}`,
          ROOMWIRE_TRUSTED_PROXIES: "127.0.0.1",
          ...environment,
        }),
      );
    }
    await cluster.#startNginx();
    return cluster;
  }

  async #startNginx() {
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = await mkdtemp(join(tmpdir(), "roomwire-rolling-"));
    await chmod(this.#folder, 0o711); // the workers run as another user
    const servers = this.nodes.map((node) => `server 127.0.0.1:${node.port} max_fails=1 fail_timeout=10s;`);
    const shown = await readFile(SHOWN, "utf8");
    const own = shown
      .replace(/^worker_rlimit_nofile .*$/m, "")
      .replace(/^pid .*$/m, "pid nginx.pid;")
      .replace(/^error_log .*$/m, "error_log stderr crit;")
      .replace(/worker_connections .*$/m, "worker_connections 4000;")
      .replace(/^http \{$/m, `http {\n${TEMPORARY.map((what) => `${what}_temp_path ${what};`).join("\n")}`)
      .replace(/access_log .*$/m, "access_log off;")
      .replace(/(^ +server 10\..*\n)+/m, `${servers.join("\n")}\n`)
      .replace(/listen 80;/, `listen 127.0.0.1:${port};`);
    await writeFile(join(this.#folder, "nginx.conf"), own);
    const args = ["-e", "stderr", "-g", "daemon off;", "-p", this.#folder, "-c", join(this.#folder, "nginx.conf")];
    this.#nginx = spawn(nginxBinary(), args, { stdio: ["ignore", "ignore", "inherit"] });
    process.once("exit", () => this.#nginx.kill("SIGKILL"));
    await until("nginx answers", async () => (await fetch(this.url)).ok);
  }

  async stop() {
    const ended = new Promise((resolve) => this.#nginx.once("close", resolve));
    this.#nginx.kill("SIGTERM");
    await ended;
    await rm(this.#folder, { recursive: true });
    await Promise.all(this.nodes.filter((node) => node.isRunning).map((node) => node.stop()));
    await this.#redis.stop();
  }
}
