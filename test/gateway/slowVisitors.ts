import { connect } from 'node:net';

export interface SlowVisitors {
  /** How many are still connected. */
  left(): number;
  stop(): void;
}

const dribbleMs = 1_000;

/** Connections that hold a server up: each sends a byte of its request a second, and never ends it. */
export function slowVisitors(address: string, requests: readonly string[]): SlowVisitors {
  const { host, port } = new URL(address);
  const sockets = requests.map((request) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(request.replaceAll('HOST', host)));
    socket.on('error', () => undefined);
    socket.resume();
    return socket;
  });
  const timer = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('a');
  }, dribbleMs);
  return {
    left: () => sockets.filter((socket) => !socket.closed && !socket.readableEnded).length,
    stop() {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The head of a request without an end, and a body that is far from whole. */
export const slowHead = 'GET / HTTP/1.1\r\nHost: HOST\r\nX-Slow: ';
export const slowBody =
  'POST /gateway/sign-in/link HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"token":"';
