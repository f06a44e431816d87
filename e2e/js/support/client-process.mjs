// An official client in a process of its own, which can be killed: `node client-process.mjs <url> <transports>`.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { until } from "./wait.mjs";

const FILE = fileURLToPath(import.meta.url);
const CONNECTED = "connected over ";

export class ClientProcess {
  #child;
  #output = "";

  /** Connected, and past the upgrade to the last of its transports. */
  static async connected(url, transports) {
    const client = new ClientProcess();
    client.#child = spawn(process.execPath, [FILE, url, transports.join(",")], { stdio: ["ignore", "pipe", "inherit"] });
    client.#child.stdout.setEncoding("utf8").on("data", (text) => (client.#output += text));
    process.once("exit", () => client.kill());
    await until("the client is connected", () => client.#output.includes(CONNECTED + transports.at(-1)));
    return client;
  }

  kill(signal = "SIGKILL") {
    this.#child.kill(signal);
  }
}

if (process.argv[1] === FILE) {
  const [url, transports] = process.argv.slice(2);
  const socket = io(url, { transports: transports.split(","), reconnection: false });
  socket.on("connect", () => {
    const tell = () => console.log(CONNECTED + socket.io.engine.transport.name);
    tell();
    socket.io.engine.on("upgrade", tell);
  });
}
