// Runs the official client's own test suite against client-suite-server. See e2e/client-suite.md. Fails if a test fails
// that is not listed as different, and if one passes that is listed as different in every run.
import { resolve } from "node:path";
import { ClientSuite } from "./support/client-suite.mjs";
import { clientSuiteBinary, socketIoCheckout, withDefaultLimits } from "./support/environment.mjs";
import { Server } from "./support/server.mjs";

/** The port in the suite's sources. */
const PORT = 3210;

/** Tests that fail because Roomwire differs on purpose: docs/protocol.md. */
const DIFFERENT = new Map([
  [
    "connection state recovery should have an accessible socket id equal to the server-side socket id (default namespace)",
    "no connection state recovery",
  ],
]);

/** Tests that fail for such a reason, but only in some runs. */
const DIFFERENT_SOMETIMES = new Map([
  [
    "retry should not emit a packet twice in the 'connect' handler",
    "counts all packets of the first 100 ms: a poll that waits when an upgrade begins is answered at once by one more",
  ],
]);

const suite = await ClientSuite.install(resolve(socketIoCheckout()));
const server = new Server(resolve(clientSuiteBinary()), withDefaultLimits(), PORT);
let results;
try {
  await server.startAgain();
  results = await suite.run();
  await server.stop();
} finally {
  await suite.remove();
}

const { passed, failed } = results;
const reason = ({ title }) => DIFFERENT.get(title) ?? DIFFERENT_SOMETIMES.get(title);
const different = failed.filter(reason);
const broken = failed.filter((test) => !reason(test));
const unexpected = passed.filter((title) => DIFFERENT.has(title));
for (const test of different) console.log(`different  ${test.title}: ${reason(test)}`);
for (const { title, error } of broken) console.log(`failed     ${title}\n${error}`);
for (const title of unexpected) console.log(`passed, but is listed as different: ${title}`);
if (broken.length > 0) console.log(`end of the server's log:\n${server.logTail}`);
const counts = `${passed.length} of ${passed.length + failed.length} passed, ${different.length} differ, ${broken.length} failed`;
console.log(`socket.io-client ${suite.version}: ${counts}`);
process.exitCode = broken.length + unexpected.length > 0 || passed.length === 0 ? 1 : 0;
