import { connect } from 'node:net';

/** Sends bytes as they are and reads until the end, for requests that no client library would make. */
export function rawHttp(port: number, text: string, waitMs = 1500): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const end = () => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), text: answer });
    };
    const limit = setTimeout(end, waitMs);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('close', () => {
      clearTimeout(limit);
      end();
    });
    socket.on('error', () => undefined);
    socket.write(text);
  });
}
