// A server on default limits, with its state in memory or in a Redis of its own.
import { protocolBinary, withDefaultLimits } from "./environment.mjs";
import { Redis } from "./redis.mjs";
import { Server } from "./server.mjs";

export const STATES = ["memory", "Redis"];

export class DefaultServer extends Server {
  #redis;

  /** Starts `binary` with its state in one of `STATES`. */
  static async in(state, binary = protocolBinary()) {
    const redis = state === "Redis" ? await Redis.start() : undefined;
    const settings = withDefaultLimits(redis ? { ROOMWIRE_STATE__URLS: redis.url } : {});
    const server = await DefaultServer.start(binary, settings);
    server.#redis = redis;
    return server;
  }

  /** All lines of level WARN so far. */
  get warnings() {
    return this.log.match(/^.*WARN.*$/gm) ?? [];
  }

  /** Stops the server, and its Redis after it. */
  async stopAll() {
    await this.stop();
    await this.#redis?.stop();
  }
}
