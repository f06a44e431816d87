// Shows the connection: a small mark and the node at its other end while all is well, a strip with the reason while not.
import { byId, setText } from "./dom.js";
import { tint } from "./person.js";

const TRANSPORTS = { websocket: "WebSocket", polling: "polling" };

const REASONS = {
  "io server disconnect": "The server ended the connection.",
  "ping timeout": "The server stopped answering.",
  "transport close": "The connection was lost.",
  "transport error": "The connection was lost.",
  "parse error": "The server sent something that cannot be read.",
};

const because = ({ problem, reason }) => problem?.sentence() ?? (reason ? (REASONS[reason] ?? "The connection was lost.") : "");

const WORDS = {
  connecting: () => "Connecting…",
  connected: ({ transport }) => `Connected over ${TRANSPORTS[transport] ?? transport}`,
  reconnecting: ({ attempt }) => (attempt > 0 ? `Reconnecting, attempt ${attempt}` : "Reconnecting…"),
  disconnected: () => "Disconnected",
};

export function showStatus(connection) {
  const [status, node, trouble, text, again] = ["status", "node", "trouble", "trouble-text", "reconnect"].map(byId);
  let lastReason = "";
  again.addEventListener("click", () => {
    connection.again();
    byId("main").focus();
  });

  function render() {
    const { state } = connection;
    const isFine = state.kind === "connected" || state.kind === "connecting";
    // The attempts that follow carry no reason of their own; the first one explains them all.
    lastReason = isFine ? "" : because(state) || lastReason;
    status.dataset.kind = state.kind;
    setText(status, WORDS[state.kind](state));
    node.hidden = state.kind !== "connected" || connection.node === null;
    node.dataset.tint = tint(connection.node ?? "");
    setText(node, connection.node ?? "");
    trouble.hidden = isFine;
    trouble.title = state.problem ? state.problem.code : (state.reason ?? "");
    again.hidden = state.kind !== "disconnected";
    const hope = state.kind === "disconnected" ? "" : " Trying to reach the server again.";
    setText(text, isFine ? "" : `${lastReason || "The server cannot be reached."}${hope}`);
  }

  connection.addEventListener("state", render);
  render();
}
