import type { Json } from './api/reference.ts';
import type { PveDouble } from './double.ts';

export interface Answer {
  status: number;
  reason: string;
  data?: Json;
  message?: string;
}

export interface Asking {
  form?: Record<string, string>;
  token?: string;
}

/** One call as a client makes it: `POST /nodes/pve1/qemu/4101/status/start`, over TLS with the double's own authority. */
export async function ask(double: PveDouble, line: string, asking: Asking = {}): Promise<Answer> {
  const [method = 'GET', path = ''] = line.split(' ');
  const response = await fetch(`${double.url}/api2/json${path}`, {
    method,
    headers: { authorization: `PVEAPIToken=${asking.token ?? double.token}` },
    body: asking.form && new URLSearchParams(asking.form),
    tls: { ca: double.ca },
  });
  const text = await response.text();
  const body = text === '' ? {} : (JSON.parse(text) as { data?: Json; message?: string });
  return { status: response.status, reason: response.statusText, data: body.data, message: body.message };
}

/** Polls a task until it has stopped. @returns its exit status. */
export async function ended(double: PveDouble, started: Answer, timeoutMs = 10_000): Promise<string> {
  if (started.status !== 200) throw new Error(`${started.status} ${started.reason}`);
  const upid = String(started.data);
  const node = upid.split(':')[1];
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 10) {
    const { data } = await ask(double, `GET /nodes/${node}/tasks/${upid}/status`);
    const status = data as { status: string; exitstatus?: string };
    if (status.status === 'stopped') return status.exitstatus ?? '';
    await Bun.sleep(10);
  }
  throw new Error(`the task does not end: ${upid}`);
}
