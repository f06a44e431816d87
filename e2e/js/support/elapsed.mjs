// How long something takes.
import assert from "node:assert/strict";

/** How many milliseconds it took. */
export async function took(act) {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Waits for the promise, which must be fulfilled within a second from now. */
export async function withinASecond(what, promise) {
  const ms = await took(() => promise);
  assert.ok(ms < 1_000, `${what} took ${ms} ms`);
}
