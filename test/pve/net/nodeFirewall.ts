import { runCommand } from '@lebureau/hostd/hypervisor/qemu/command';
import type { State } from '../world/state.ts';
import { firewallRules } from './firewallRules.ts';

/**
 * Keeps nftables as the state of the double wants it. Proxmox VE does so every ten seconds; here it follows each change, so
 * that a test need not wait.
 */
export class NodeFirewall {
  private loaded = '';
  private wanted = '';
  private loading: Promise<void> | undefined;

  follow(state: State): void {
    this.wanted = firewallRules(state);
    // Whoever needs the rules hears of the failure from `settled`.
    this.settled().catch(() => {});
  }

  /** Resolves when the rules are those of the last state. */
  async settled(): Promise<void> {
    while (this.loaded !== this.wanted) {
      this.loading ??= this.load().finally(() => (this.loading = undefined));
      await this.loading;
    }
  }

  private async load(): Promise<void> {
    const { wanted } = this;
    await runCommand('nft', ['-f', '-'], { stdin: wanted });
    this.loaded = wanted;
  }
}
