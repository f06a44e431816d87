// The command line that all peers share.
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { redis: { type: "string" } } });

/** The URL of the Redis server, if there is one. */
export const redisUrl = values.redis;
