// The test suite of the official client, in a temporary folder together with the client that the other tests use.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The packages that the suite imports or that run it; the checkout's own package.json has their versions. */
const TOOLS = ["@sinonjs/fake-timers", "base64-arraybuffer", "expect.js", "has-cors", "mocha", "text-blob-builder", "tsx"];
const CLIENT = "socket.io-client";
const SUITE = `packages/${CLIENT}/test`;
const RESULTS = "results.json";
/** Tests that replace the clock, and connect to port 80. One that fails leaves the clock stopped for those after it. */
const OWN_CLOCK = "reconnect timeout";

const readJson = async (path) => JSON.parse(await readFile(path, "utf8"));

/** One test of the suite leaves a client behind that reconnects forever. */
function killGroup(group) {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

export class ClientSuite {
  #folder;
  version;

  /** Installs the suite of this checkout of socketio/socket.io. Nothing is written into the checkout. */
  static async install(checkout) {
    const suite = new ClientSuite();
    const own = await readJson(new URL("../../package.json", import.meta.url));
    const theirs = await readJson(join(checkout, "package.json"));
    suite.version = own.devDependencies[CLIENT];
    const tools = TOOLS.map((name) => [name, theirs.devDependencies[name]]);
    const dependencies = Object.fromEntries([[CLIENT, suite.version], ...tools]);
    suite.#folder = await mkdtemp(join(tmpdir(), "roomwire-client-suite-"));
    try {
      await writeFile(suite.#path("package.json"), JSON.stringify({ private: true, dependencies }));
      const code = await suite.#execute("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"]);
      if (code !== 0) throw new Error(`npm install ended with ${code}`);
      // The suite imports the client as the folder above itself.
      await cp(suite.#path("node_modules", CLIENT), suite.#path(CLIENT), { recursive: true });
      await cp(join(checkout, SUITE), suite.#path(CLIENT, "test"), { recursive: true });
    } catch (error) {
      await suite.remove();
      throw error;
    }
    return suite;
  }

  /** Runs it once. Returns the titles of the tests that passed, and the titles and errors of the others. */
  async run() {
    const runs = [await this.#mocha([`--grep=${OWN_CLOCK}`]), await this.#mocha([`--grep=${OWN_CLOCK}`, "--invert"])];
    return {
      passed: runs.flatMap(({ passes }) => passes.map(({ fullTitle }) => fullTitle)),
      failed: runs.flatMap(({ failures }) =>
        failures.map(({ fullTitle, err }) => ({ title: fullTitle, error: err.stack ?? err.message })),
      ),
    };
  }

  remove() {
    return rm(this.#folder, { recursive: true, force: true });
  }

  async #mocha(selection) {
    const args = ["--import=tsx", "--exit", "--reporter=json", `--reporter-option=output=${RESULTS}`, ...selection];
    const mocha = this.#path("node_modules/mocha/bin/mocha.js");
    // Its status is the number of failed tests.
    await this.#execute(process.execPath, [mocha, ...args, `${CLIENT}/test/index.ts`]);
    return readJson(this.#path(RESULTS));
  }

  #path(...parts) {
    return join(this.#folder, ...parts);
  }

  /** The program's exit code. */
  async #execute(program, args) {
    const options = { cwd: this.#folder, stdio: ["ignore", "ignore", "inherit"], detached: true };
    const child = spawn(program, args, options);
    const [code, signal] = await new Promise((resolve, reject) => {
      child.once("error", reject).once("exit", (...end) => resolve(end));
    });
    killGroup(child.pid);
    if (code === null) throw new Error(`${program} was ended by ${signal}`);
    return code;
  }
}
