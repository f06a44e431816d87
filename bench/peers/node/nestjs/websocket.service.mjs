// Clients and rooms in Redis: a hash each for their fields, a set each for a client's rooms and a room's clients.
// Every change is one transaction, because joins of several clients would otherwise overwrite each other.
import { Inject, Injectable } from "@nestjs/common";

/** The injection token of the connection to Redis. */
export const REDIS = Symbol("redis");

const clientKey = (id) => `websocket:client:${id}`;
const clientRoomsKey = (id) => `websocket:client:${id}:rooms`;
const roomKey = (room) => `websocket:room:${room}`;
const roomClientsKey = (room) => `websocket:room:${room}:clients`;
const now = () => new Date().toISOString();

export class WebSocketService {
  constructor(redis) {
    this.redis = redis;
  }

  async handleConnection(client) {
    const connectedAt = now();
    const fields = { id: client.id, metadata: "{}", connectedAt, lastActiveAt: connectedAt };
    await this.redis.hSet(clientKey(client.id), fields);
  }

  async handleDisconnect(client) {
    const rooms = await this.redis.sMembers(clientRoomsKey(client.id));
    const changes = this.redis.multi();
    for (const room of rooms) changes.sRem(roomClientsKey(room), client.id);
    await changes.del([clientKey(client.id), clientRoomsKey(client.id)]).exec();
  }

  async joinRoom(client, room) {
    await this.admit(room);
    const joinedAt = now();
    await this.redis
      .multi()
      .hSetNX(roomKey(room), "createdAt", joinedAt)
      .hSet(roomKey(room), { id: room, name: room, updatedAt: joinedAt })
      .sAdd(roomClientsKey(room), client.id)
      .sAdd(clientRoomsKey(client.id), room)
      .hSet(clientKey(client.id), "lastActiveAt", joinedAt)
      .exec();
    await client.join(room);
  }

  async broadcastToRoom(room, event, data) {
    this.server.to(room).emit(event, data);
  }

  /** Rejects a join of a closed or full room. */
  async admit(room) {
    const [closed, capacity] = await this.redis.hmGet(roomKey(room), ["closed", "capacity"]);
    if (closed) throw Object.assign(new Error("Room is closed"), { code: "ROOM_CLOSED" });
    if (capacity && (await this.redis.sCard(roomClientsKey(room))) >= Number(capacity)) {
      throw Object.assign(new Error("Room is full"), { code: "ROOM_FULL" });
    }
  }
}

Injectable()(WebSocketService);
Inject(REDIS)(WebSocketService, undefined, 0);
