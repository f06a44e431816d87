// The gateway. Decorators are called as functions: plain JavaScript has no syntax for those of parameters.
import { Inject } from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { WebSocketService } from "./websocket.service.mjs";

export class ChatGateway {
  constructor(webSocketService) {
    this.webSocketService = webSocketService;
  }

  afterInit(server) {
    this.webSocketService.server = server;
  }

  async handleConnection(client) {
    await this.webSocketService.handleConnection(client);
  }

  async handleDisconnect(client) {
    await this.webSocketService.handleDisconnect(client);
  }

  async handleJoin(client, room) {
    await this.webSocketService.joinRoom(client, room);
    return true;
  }

  async handleSay({ room, message }) {
    await this.webSocketService.broadcastToRoom(room, "said", message);
  }
}

WebSocketGateway()(ChatGateway);
Inject(WebSocketService)(ChatGateway, undefined, 0);
WebSocketServer()(ChatGateway.prototype, "server");
subscribe("join", "handleJoin", ConnectedSocket(), MessageBody());
subscribe("say", "handleSay", MessageBody());

function subscribe(event, method, ...parameters) {
  const { prototype } = ChatGateway;
  SubscribeMessage(event)(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
  parameters.forEach((decorate, index) => decorate(prototype, method, index));
}
