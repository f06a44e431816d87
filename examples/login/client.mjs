// Logs in, connects, and shows a new token before the old one runs out: `node client.mjs ada lovelace`.
import { io } from "socket.io-client";

const [name = "ada", password = "lovelace", address = "http://127.0.0.1:3000"] = process.argv.slice(2);
const EARLY_MS = 10_000; // so long before the end of a token the next one is fetched

async function logIn() {
  const answer = await fetch(`${address}/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  if (!answer.ok) throw new Error(`login: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).token;
}

// Asked before every connection, also after an interruption: a token that was good an hour ago may be no more.
const socket = io(address, { auth: (send) => logIn().then((token) => send({ token }), giveUp) });

function giveUp(problem) {
  console.error(String(problem?.message ?? problem));
  socket.close();
  process.exitCode = 1;
}

let renewal;
function renewAt(expiresAt) {
  clearTimeout(renewal);
  renewal = setTimeout(renew, Math.max(0, new Date(expiresAt) - Date.now() - EARLY_MS));
}

// In place: the socket keeps its id and its rooms.
async function renew() {
  try {
    const answer = await socket.timeout(5_000).emitWithAck("authenticate", { token: await logIn() });
    if (answer.error) throw new Error(answer.error.message);
    console.log(`${name}: renewed until ${answer.expiresAt}`);
    renewAt(answer.expiresAt);
  } catch (problem) {
    giveUp(problem);
  }
}

socket.on("welcome", ({ user, expiresAt }) => {
  console.log(`${name}: connected as ${user} until ${expiresAt}`);
  renewAt(expiresAt);
  socket.emit("join", "lobby", (answer) => answer?.error ? giveUp(answer.error) : socket.emit("say", "lobby", "hello"));
});
socket.on("said", ({ user, text }) => console.log(`${name}: ${user} says ${text}`));
socket.on("connect_error", (problem) => { if (!socket.active) giveUp(problem); });
socket.on("disconnect", (reason) => { clearTimeout(renewal); console.log(`${name}: disconnected (${reason})`); });
