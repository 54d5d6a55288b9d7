import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';

interface Remembered {
  mark: string;
  trouble: string;
}

/**
 * Remembers that KVM did not run here, which takes many seconds to find out: until the machine boots again, or QEMU or
 * the device is another. That it did run is found out anew each time: it takes a moment, and is what must not be wrong.
 */
export class ProbeMemory {
  readonly #path: string;
  readonly #mark: string;

  constructor(path: string, of: { device: string; qemuVersion: string }) {
    this.#path = path;
    const { dev, ino, ctimeMs } = statSync(of.device);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    this.#mark = [boot, of.qemuVersion, dev, ino, ctimeMs].join(' ');
  }

  trouble(): string | undefined {
    try {
      const { mark, trouble } = JSON.parse(readFileSync(this.#path, 'utf8')) as Remembered;
      return mark === this.#mark ? trouble : undefined;
    } catch {
      return undefined;
    }
  }

  keep(trouble: string): void {
    const remembered: Remembered = { mark: this.#mark, trouble };
    writeFileSync(`${this.#path}.new`, JSON.stringify(remembered));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
