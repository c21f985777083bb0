// As much of STOMP as a consumer in a test needs: connect, subscribe, and hold what it is given.
import { once } from 'node:events';
import { connect } from 'node:net';

export interface Stomp {
  subscribe(destination: string, headers?: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

export async function openStomp(port: number): Promise<Stomp> {
  const socket = connect(port, '127.0.0.1');
  const send = (command: string, headers: Readonly<Record<string, string>>) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
    socket.write(`${[command, ...lines].join('\n')}\n\n\0`);
  };
  send('CONNECT', { 'accept-version': '1.2', host: 'localhost' });
  const [answer] = await once(socket, 'data');
  if (!String(answer).startsWith('CONNECTED')) throw new Error(`STOMP: ${answer}`);
  socket.resume();
  return {
    subscribe: (destination, headers = {}) => send('SUBSCRIBE', { id: '1', destination, ...headers }),
    close: async () => {
      const closed = once(socket, 'close');
      socket.destroy();
      await closed;
    },
  };
}
