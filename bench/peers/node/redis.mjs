// Connections to Redis.
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";

/** Connects to Redis. A broken connection ends the process, and with it the measurement. */
export async function connect(url) {
  const client = createClient({ url });
  client.on("error", (error) => {
    throw error;
  });
  return client.connect();
}

/** The Redis adapter as its documentation has it: one connection to publish, one to subscribe. */
export async function redisAdapter(url) {
  const [publisher, subscriber] = await Promise.all([connect(url), connect(url)]);
  return createAdapter(publisher, subscriber);
}
