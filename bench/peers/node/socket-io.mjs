// Socket.IO on Node, as its documentation has it; with its Redis adapter if a Redis server is given.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { redisUrl } from "./arguments.mjs";
import { redisAdapter } from "./redis.mjs";
import { report } from "./usage.mjs";

const httpServer = createServer();
const io = new Server(httpServer, redisUrl ? { adapter: await redisAdapter(redisUrl) } : {});

io.on("connection", (socket) => {
  socket.on("join", async (room, acknowledge) => {
    await socket.join(room);
    acknowledge(true);
  });
  socket.on("say", ({ room, message }) => {
    io.to(room).emit("said", message);
  });
});

httpServer.listen(0, "127.0.0.1", () => report(httpServer));
