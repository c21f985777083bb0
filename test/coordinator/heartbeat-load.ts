// The load of the heartbeat benchmark, in a process of its own: opens sessions as agents do and beats when it is told.
// Over IPC: { open: n, url } and { rounds: n } (one heartbeat of each agent in each round); answers 'done'.
import { WebSocket } from 'ws';

const sockets: WebSocket[] = [];
const atOnce = 100;
let seq = 0;

function open(url: string, id: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('error', reject);
    socket.once('open', () =>
      socket.send(JSON.stringify({ type: 'hello', v: 1, agent: id, service: 'shop' })),
    );
    socket.once('message', () => resolve(socket));
  });
}

function beat(): string {
  seq += 1;
  return JSON.stringify({
    type: 'heartbeat',
    seq,
    phase: 'ready',
    service: 'shop',
    registrations: [
      { haproxy: 'lb1:9999', backend: 'app', port: 8080, state: 'none', error: 'no free slot' },
    ],
    metrics: { cpu: { value: 0.25, ageMs: 12 }, memory: { value: 73_400_320, ageMs: 12 } },
  });
}

process.on('message', async (order: { open?: number; url?: string; rounds?: number }) => {
  for (let left = order.open ?? 0; left > 0; left -= atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, left) }, (_, index) =>
      open(order.url ?? '', `host-${sockets.length + index}-8080`),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  for (let round = 0; round < (order.rounds ?? 0); round += 1) {
    const text = beat();
    for (const socket of sockets) socket.send(text);
    while (sockets.some((socket) => socket.bufferedAmount > 0))
      await new Promise((resolve) => setImmediate(resolve));
  }
  process.send?.('done');
});
process.on('disconnect', () => process.exit());
