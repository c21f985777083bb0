// The floor of the heartbeat benchmark: a bare `ws` server that parses every message, counts it and answers hello.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

let messages = 0;
const server = createServer((_request, response) => response.end(`berth_agent_messages_total ${messages}\n`));
const webSockets = new WebSocketServer({ server, perMessageDeflate: false });
const welcome = JSON.stringify({ type: 'welcome', v: 1, coordinator: 'floor', heartbeatMs: 1000 });
webSockets.on('connection', (socket) => {
  socket.on('message', (data) => {
    messages += 1;
    const message: { type?: unknown } = JSON.parse(String(data));
    if (message.type === 'hello') socket.send(welcome);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}"\n`);
});
