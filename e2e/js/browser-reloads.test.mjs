// Pages that are reloaded and components that mount twice, in Chromium and on default limits: no refusal, no complaint.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch } from "./support/browser.mjs";
import { ChatPage } from "./support/chat-page.mjs";
import { DefaultServer, STATES } from "./support/default-server.mjs";
import { chatBinary } from "./support/environment.mjs";
import { within } from "./support/wait.mjs";

const LOADS = 20;
const LOAD_MS = 750; // twenty in fifteen seconds

/** Runs in each page: notes when the connection was begun and when it stood. */
function noteConnection() {
  window.connecting = new Promise((resolve) => {
    const began = {};
    const look = () => {
      const kind = document.querySelector("#status")?.dataset.kind;
      if (kind !== undefined) began[kind] ??= performance.now();
      if (kind === "connected") resolve({ began: began.connecting, connected: began.connected });
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  });
}

/** Lets each page note how it connects; the responses of the pages with an HTTP status from 400 on. */
async function watch(context) {
  const refusals = [];
  context.on("response", (response) => {
    if (response.status() >= 400) refusals.push(`${response.status()} ${response.url()}`);
  });
  await context.addInitScript(noteConnection);
  return refusals;
}

/** A person at the chat page, and what is refused to that page. */
async function enter(browser, url) {
  const person = await ChatPage.enter(browser, url, "Ada");
  return { person, refusals: await watch(person.page.context()) };
}

/** Reloads a page that may be loading. Between two pages Chromium has none to reload, and says so. */
async function reload(page, attempts = 20) {
  try {
    await page.reload({ waitUntil: "commit" });
  } catch (error) {
    if (attempts === 0 || !/Not attached to an active page|ERR_ABORTED/.test(error.message)) throw error;
    await pause(10);
    await reload(page, attempts - 1);
  }
}

/** How the page that is loaded connects: within a second of when it began to. */
async function connects(person, what) {
  const { began, connected } = await within(20_000, what, person.page.evaluate(() => window.connecting));
  assert.ok(connected - began < 1_000, `${what} took ${connected - began} ms`);
}

// Side by side, since they mostly wait.
describe("pages that come and go in a browser", { concurrency: true }, () => {
  let browser;

  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  for (const state of STATES) {
    describe(`pages that come and go in a browser, state in ${state}`, { concurrency: 1 }, () => {
      let server;

      before(async () => {
        server = await DefaultServer.in(state, chatBinary());
      });
      after(() => server?.stopAll());

      test("a page that is reloaded twenty times in fifteen seconds is connected within a second each time", async () => {
        const { person, refusals } = await enter(browser, server.url);
        for (let load = 0; load < LOADS; load += 1) {
          const next = pause(LOAD_MS);
          await person.page.reload();
          await connects(person, `load ${load}`);
          await next;
        }
        assert.deepEqual([refusals, person.faults], [[], []]);
        await person.close();
      });

      test("a page that is reloaded twenty times while it loads and connects is connected within a second of the last", async () => {
        const { person, refusals } = await enter(browser, server.url);
        for (let load = 0; load < LOADS; load += 1) {
          await reload(person.page);
          await pause(load * 5);
        }
        await connects(person, "the last load");
        assert.deepEqual([refusals, person.faults], [[], []]);
        await person.close();
      });

      test("a component that mounts, unmounts and mounts in one tick is connected within a second, ten times", async () => {
        const { person, refusals } = await enter(browser, server.url);
        const mounting = person.page.evaluate(async () => {
          const { io } = await import("/vendor/socket.io.esm.min.js");
          const times = [];
          for (let time = 0; time < 10; time += 1) {
            const began = performance.now();
            const socket = io({ auth: { name: "Ada" }, forceNew: true, reconnection: false });
            socket.disconnect();
            await new Promise((resolve, reject) => socket.connect().once("connect", resolve).once("connect_error", reject));
            times.push(performance.now() - began);
            // The next one is not to wait for this one's requests: a browser has six connections to a host.
            const { engine } = socket.io;
            if (engine.transport.name === "polling") await new Promise((resolve) => engine.once("upgrade", resolve));
          }
          return times;
        });
        const times = await within(20_000, "ten components are connected", mounting);
        assert.ok(Math.max(...times) < 1_000, `${times} ms`);
        assert.deepEqual([refusals, person.faults], [[], []]);
        await person.close();
      });
    });
  }
});
