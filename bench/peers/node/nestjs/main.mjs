// A NestJS application with one gateway, whose clients and rooms are in Redis.
import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { redisUrl } from "../arguments.mjs";
import { connect } from "../redis.mjs";
import { report } from "../usage.mjs";
import { ChatGateway } from "./chat.gateway.mjs";
import { RedisIoAdapter } from "./redis-io.adapter.mjs";
import { REDIS, WebSocketService } from "./websocket.service.mjs";

class AppModule {}
Module({
  providers: [{ provide: REDIS, useFactory: () => connect(redisUrl) }, WebSocketService, ChatGateway],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ["error"] });
app.useWebSocketAdapter(await RedisIoAdapter.connect(app, redisUrl));
await app.listen(0, "127.0.0.1");
report(app.getHttpServer());
