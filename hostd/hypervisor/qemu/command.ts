import { spawn } from 'node:child_process';
import { Fault } from '@lebureau/kit/fault';

export interface CommandOptions {
  stdin?: string;
  timeoutMs?: number;
}

const outputMaxBytes = 4 << 20;

/** Runs one program of the host. @returns its output. @throws Fault `hypervisor_failed` with what it complained about. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: options.timeoutMs ?? 10_000 });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-outputMaxBytes)));
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(options.stdin ?? '');
    child.on('error', (cause) => reject(new Fault('hypervisor_failed', `${program} could not be run`, { cause })));
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Fault('hypervisor_failed', `${program} failed: ${errors.trim().split('\n')[0] ?? code}`));
    });
  });
}
