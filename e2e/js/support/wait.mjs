// Waiting for what must happen: always for a condition, always with a deadline, never for a fixed time.
import { setTimeout as pause } from "node:timers/promises";

const POLL_MS = 15;

/** The promise's value, or an error that says `what` is missing after `ms`. */
export async function within(ms, what, promise) {
  const timer = new AbortController();
  // Unreferenced: the loser of a race must not keep the test run alive until its deadline.
  const late = pause(ms, undefined, { signal: timer.signal, ref: false }).then(
    () => {
      throw new Error(`not within ${ms} ms: ${what}`);
    },
    () => new Promise(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

/** Calls `check` until it returns something truthy and returns that; an error it throws is one more "not yet". */
export async function until(what, check, ms = 10_000) {
  const deadline = Date.now() + ms;
  let lastError;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`, { cause: lastError });
    await pause(POLL_MS);
  }
}

/** Keeps everything that was put in, so that nothing is missed between two waits. */
export class Inbox {
  #items = [];
  #waiting = new Set();

  put(item) {
    this.#items.push(item);
    for (const look of this.#waiting) look();
  }

  get all() {
    return [...this.#items];
  }

  /** The first item, already here or still to come, that `fits`. */
  first(what, fits = () => true, ms = 10_000) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const item = this.#items.find((candidate) => fits(candidate));
        if (item !== undefined) resolve(item);
      };
    });
    this.#waiting.add(look);
    look();
    return within(ms, what, found).finally(() => this.#waiting.delete(look));
  }
}
