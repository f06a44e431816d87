// nginx in front of a server, with the configuration that socket.io's own page shows.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nginxBinary } from "./environment.mjs";
import { until } from "./wait.mjs";

const TEMPORARY = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"];

export class Nginx {
  #child;
  #folder;

  /** Passes everything on to the port `target`, with this `Host` header. */
  static async start({ target, host = "$host" }) {
    const nginx = new Nginx();
    const probe = createServer();
    await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
    nginx.port = probe.address().port;
    await new Promise((resolve) => probe.close(resolve));
    nginx.#folder = await mkdtemp(join(tmpdir(), "roomwire-nginx-"));
    const configuration = `
      daemon off;
      pid nginx.pid;
      error_log stderr crit;
      worker_processes 1;
      events { worker_connections 4096; }
      http {
        access_log off;
        ${TEMPORARY.map((what) => `${what}_temp_path ${what};`).join("\n")}
        server {
          listen 127.0.0.1:${nginx.port};
          location / {
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Host ${host};

            proxy_pass http://127.0.0.1:${target};

            # enable WebSockets
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
          }
        }
      }`;
    await writeFile(join(nginx.#folder, "nginx.conf"), configuration);
    const args = ["-e", "stderr", "-p", nginx.#folder, "-c", join(nginx.#folder, "nginx.conf")];
    nginx.#child = spawn(nginxBinary(), args, { stdio: ["ignore", "ignore", "inherit"] });
    process.once("exit", () => nginx.#child.kill("SIGKILL"));
    await until("nginx answers", async () => (await fetch(`http://127.0.0.1:${nginx.port}/`)).ok);
    return nginx;
  }

  async stop() {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    await ended;
    await rm(this.#folder, { recursive: true });
  }
}
