import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault } from '@lebureau/kit/fault';

const connectTimeoutMs = 5_000;

/** @throws Fault `guest_unreachable` */
export function connectTcp(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const refuse = (cause: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Fault('guest_unreachable', 'no connection to the guest', { cause }));
    };
    const timer = setTimeout(() => refuse(new Error('time is up')), connectTimeoutMs);
    socket.once('error', refuse);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', refuse);
      socket.on('error', () => {}); // whoever holds the stream sees `close`
      resolve(socket);
    });
  });
}
