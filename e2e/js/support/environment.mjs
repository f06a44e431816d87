// What the tests are told by their environment: the binaries under test and the browser.

function required(variable, meaning) {
  const value = process.env[variable];
  if (!value) throw new Error(`set ${variable} to ${meaning}`);
  return value;
}

export const chatBinary = () => required("ROOMWIRE_CHAT", "the path of the binary example-chat");
export const protocolBinary = () => required("ROOMWIRE_E2E_SERVER", "the path of the binary roomwire-e2e");
export const clientSuiteBinary = () =>
  required("ROOMWIRE_CLIENT_SUITE_SERVER", "the path of the binary client-suite-server");
export const socketIoCheckout = () => required("SOCKET_IO_CHECKOUT", "the path of a checkout of socketio/socket.io");
export const xtaskBinary = () => required("ROOMWIRE_E2E_XTASK", "the path of the binary xtask");
export const nginxBinary = () => required("ROOMWIRE_E2E_NGINX", "the path of nginx");
export const chromiumBinary = () => required("ROOMWIRE_CHROMIUM", "the path of Chromium");
export const pythonBinary = () => required("ROOMWIRE_E2E_PYTHON", "a python with the packages of python-requirements.txt");
/** Why there is no such Python on this machine, or false. */
export const withoutPython = process.env.ROOMWIRE_E2E_WITHOUT_PYTHON || false;

export const writesDocumentation = process.env.ROOMWIRE_WRITE_SCREENSHOTS === "1";

// All clients of the tests have one address, and they come, go, join and send faster than people do.
const WITHOUT_RATES = {
  ROOMWIRE_LIMITS__EVENTS_PER_SECOND: "1000000",
  ROOMWIRE_LIMITS__EVENT_BURST: "1000000",
  ROOMWIRE_LIMITS__BYTES_PER_SECOND: "1000000000",
  ROOMWIRE_LIMITS__BYTE_BURST: "1000000000",
  ROOMWIRE_LIMITS__CONNECTIONS_PER_ADDRESS: "1000000",
  ROOMWIRE_LIMITS__RECONNECTS_PER_SECOND: "100000",
  ROOMWIRE_LIMITS__RECONNECT_BURST: "100000",
};

/** The environment for a server: ours without ROOMWIRE_*, which a server would read as its configuration. */
export function serverEnvironment(own) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("ROOMWIRE_"));
  return { ...Object.fromEntries(inherited), ...WITHOUT_RATES, ...own };
}

/** The environment for a server with the limits that it has by itself, beside these settings. */
export function withDefaultLimits(own = {}) {
  const unset = Object.fromEntries(Object.keys(WITHOUT_RATES).map((name) => [name, undefined]));
  return { ...unset, E2E_DEFAULT_LIMITS: "1", ...own };
}
