// Pages of dev servers and behind proxies, in a browser, on default settings: connected, or told why not.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./support/browser.mjs";
import { DefaultServer, STATES } from "./support/default-server.mjs";
import { DevServer } from "./support/dev-server.mjs";
import { Nginx } from "./support/nginx.mjs";

/** Connects in the page to `url`, the page's own origin when it is empty; what became of it. */
function connectFrom(page, url, transports) {
  return page.evaluate(
    ([url, transports]) =>
      new Promise((resolve) => {
        const socket = window.io(url || undefined, { transports, reconnection: false, forceNew: true });
        const end = (outcome) => (socket.disconnect(), resolve(outcome));
        socket.once("connect", () => socket.emit("echo", "hello", (answer) => end(answer)));
        socket.once("connect_error", (error) => end(`${error.message}: ${error.context?.responseText ?? ""}`));
      }),
    [url, transports],
  );
}

// Side by side, each with a browser of its own.
describe("pages of other origins", { concurrency: true }, () => {
  for (const state of STATES) {
    describe(`pages of other origins, state in ${state}`, { concurrency: 1 }, () => {
      let server, browser;
      const running = [];

      before(async () => {
        server = await DefaultServer.in(state);
        browser = await launch();
      });
      afterEach(() => Promise.all(running.splice(0).map((helper) => helper.stop())));
      after(async () => {
        await browser?.close();
        await server?.stopAll();
      });

      async function devServer(options) {
        const helper = await DevServer.start({ target: server.port, ...options });
        running.push(helper);
        return helper;
      }

      /**
       * A page of this address, and what its console complains of. A client that disconnects while it asks for packets may get 400
       * for the session that it has ended: not a refusal.
       */
      async function open(url) {
        const page = await browser.newPage();
        const complaints = [];
        const isEnded = (text) => text.includes("status of 400");
        page.on("console", (message) => {
          const text = message.text();
          if (["error", "warning"].includes(message.type()) && !isEnded(text)) complaints.push(text);
        });
        page.on("pageerror", (error) => complaints.push(String(error)));
        await page.goto(url);
        return { page, complaints };
      }

      /** What the server warned of meanwhile. */
      async function warnings(act) {
        const before = server.warnings.length;
        await act();
        return server.warnings.slice(before);
      }

      for (const changeOrigin of [false, true]) {
        test(`a page of a dev server connects through its proxy, changeOrigin: ${changeOrigin}`, async () => {
          const dev = await devServer({ changeOrigin });
          const warned = await warnings(async () => {
            for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
              const { page, complaints } = await open(`http://${host}:${dev.port}/`);
              for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
                assert.equal(await connectFrom(page, "", transports), "hello", `${host} ${transports}`);
              }
              assert.deepEqual(complaints, []);
            }
          });
          assert.deepEqual(warned, []);
        });
      }

      test("a page of a loopback address connects to a server on this machine, whatever the spellings", async () => {
        const dev = await devServer({});
        const warned = await warnings(async () => {
          for (const host of ["localhost", "127.0.0.1", "shop.localhost"]) {
            const { page, complaints } = await open(`http://${host}:${dev.port}/`);
            for (const target of ["localhost", "127.0.0.1"]) {
              for (const transports of [["polling"], ["websocket"]]) {
                assert.equal(await connectFrom(page, `http://${target}:${server.port}`, transports), "hello", `${host} to ${target}`);
              }
            }
            assert.deepEqual(complaints, []);
          }
        });
        assert.deepEqual(warned, []);
      });

      test("a page of a loopback address is refused in words where others reach the server, and one warning has the line to add", async () => {
        const dev = await devServer({ changeOrigin: true, headers: { "x-forwarded-for": "203.0.113.7" } });
        const line = `allowedOrigins = ["http://localhost:${dev.port}"]`;
        const warned = await warnings(async () => {
          const { page } = await open(`http://localhost:${dev.port}/`);
          const outcome = await connectFrom(page, "", ["polling"]);
          assert.match(outcome, /FORBIDDEN/);
          assert.ok(outcome.includes(line.replaceAll('"', '\\"')), outcome);
          assert.match(await connectFrom(page, "", ["websocket"]), /websocket error/);
        });
        const refused = warned.filter((warning) => warning.includes("refused"));
        assert.equal(refused.length, 1, warned.join("\n"));
        assert.ok(refused[0].includes(line), refused[0]);
      });

      test("a page that may not connect can read why, across origins", async () => {
        const dev = await devServer({});
        const { page } = await open(`http://app.example.com:${dev.port}/`);
        const url = `http://chat.example.com:${server.port}`;
        for (const headers of [{}, { "x-own": "asks for a preflight request" }]) {
          const [status, text] = await page.evaluate(async ([url, headers]) => {
            const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
            return [response.status, await response.text()];
          }, [url, headers]);
          assert.equal(status, 403);
          assert.ok(text.includes(`http://app.example.com:${dev.port}`) && text.includes("allowedOrigins"), text);
        }
        assert.match(await connectFrom(page, url, ["polling"]), /xhr poll error: .*allowedOrigins/);
      });

      test("behind nginx with Host $host on another port, a page connects on this machine or is told what to forward", async () => {
        const nginx = await Nginx.start({ target: server.port });
        running.push(nginx);
        const local = await open(`http://localhost:${nginx.port}/`);
        await local.page.addScriptTag({ path: new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname });
        assert.equal(await connectFrom(local.page, "", ["polling", "websocket"]), "hello");

        const { page } = await open(`http://chat.example.com:${nginx.port}/`);
        await page.addScriptTag({ path: new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname });
        const warned = await warnings(async () => {
          for (let times = 0; times < 3; times += 1) {
            assert.match(await connectFrom(page, "", ["polling"]), /proxy_set_header Host \$http_host;/);
            assert.match(await connectFrom(page, "", ["websocket"]), /websocket error/);
          }
        });
        assert.equal(warned.length, 1, warned.join("\n"));
        assert.match(warned[0], /proxy_set_header Host \$http_host;/);
      });

      test("behind nginx that forwards the Host header, a page connects", async () => {
        const nginx = await Nginx.start({ target: server.port, host: "$http_host" });
        running.push(nginx);
        const { page, complaints } = await open(`http://chat.example.com:${nginx.port}/`);
        await page.addScriptTag({ path: new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname });
        assert.equal(await connectFrom(page, "", ["polling", "websocket"]), "hello");
        assert.deepEqual(complaints.filter((text) => !text.includes("404")), []);
      });
    });
  }
});
