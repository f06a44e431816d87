// Socket.IO's Redis adapter in NestJS, as the documentation of NestJS has it.
import { IoAdapter } from "@nestjs/platform-socket.io";
import { redisAdapter } from "../redis.mjs";

export class RedisIoAdapter extends IoAdapter {
  static async connect(app, url) {
    const adapter = new RedisIoAdapter(app);
    adapter.redisAdapter = await redisAdapter(url);
    return adapter;
  }

  createIOServer(port, options) {
    const server = super.createIOServer(port, options);
    server.adapter(this.redisAdapter);
    return server;
  }
}
