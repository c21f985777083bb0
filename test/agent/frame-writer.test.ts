// The agent's own frames, read by ws.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { FrameWriter, formatFrame } from '../../agent/frame-writer.ts';

/** A connection to a real WebSocket server whose handshake is done. */
async function open(server: WebSocketServer): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  const lines = ['GET / HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Connection: Upgrade'];
  const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`;
  socket.write(`${[...lines, key, 'Sec-WebSocket-Version: 13'].join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  return socket;
}

test('ws reads what it writes, at each length at which the header changes', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const connected = once(server, 'connection');
  const socket = await open(server);
  const [peer] = await connected;
  const heard: string[] = [];
  for (const event of ['message', 'ping', 'pong'])
    peer.on(event, (data: Buffer) => heard.push(`${event} ${data.length} ${data.toString().slice(0, 8)}`));
  const closed = once(peer, 'close');
  const writer = new FrameWriter(socket);
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
  for (const length of lengths) writer.send('ü'.padEnd(length, 'x').slice(0, length), {});
  writer.ping(Buffer.from('p'), true);
  writer.pong(Buffer.alloc(0), true);
  writer.close(1000, 'bye ü', true);
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [1000, 'bye ü']);
  const texts = lengths.map((length) => Buffer.from('ü'.padEnd(length, 'x').slice(0, length)));
  assert.deepEqual(heard, [
    ...texts.map((text) => `message ${text.length} ${text.toString().slice(0, 8)}`),
    'ping 1 p',
    'pong 0 ',
  ]);
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('a frame is as in the example of RFC 6455, 5.7', () => {
  const frame = formatFrame(1, Buffer.from('Hello'), Buffer.from('37fa213d', 'hex'));
  assert.equal(frame.toString('hex'), '818537fa213d7f9f4d5158');
});
