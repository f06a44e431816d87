// The line protocol of a peer: its address first, then its usage for each line on standard input.
import { createInterface } from "node:readline";

/** Prints the address of the server, responds to each line with CPU time and memory, and exits when input ends. */
export function report(httpServer) {
  const { address, port } = httpServer.address();
  process.stdout.write(`${address}:${port}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", () => process.stdout.write(`${JSON.stringify(usage())}\n`));
  lines.on("close", () => process.exit(0));
}

function usage() {
  const { user, system } = process.cpuUsage();
  return {
    cpu_nanoseconds: (user + system) * 1000,
    system_nanoseconds: system * 1000,
    resident_bytes: process.memoryUsage.rss(),
  };
}
