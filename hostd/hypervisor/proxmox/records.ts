import type { Clock } from '@lebureau/kit/clock';
import type { PveApi } from './client.ts';
import { readVmMarker, type VmMarker } from './marker.ts';
import type { VmPlace } from './site.ts';

/** The configuration of a VM, as far as we use it. */
export interface VmRecord extends VmPlace {
  name?: string;
  lock?: string;
  isTemplate: boolean;
  digest?: string;
  marker?: VmMarker;
  config: Readonly<Record<string, unknown>>;
}

const goodMs = 300_000;

/**
 * Configurations that were read lately. Their only writer is this driver, which forgets one before it changes it; the
 * limit of their age is for the operator who edits by hand and for a second hostd.
 */
export class VmRecords {
  readonly #api: PveApi;
  readonly #clock: Clock;
  /** Reads that serve everybody who asks while they run. */
  readonly #running = new Map<number, Promise<VmRecord>>();
  readonly #known = new Map<number, { record: VmRecord; readAtMs: number }>();

  constructor(api: PveApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** @throws PveError */
  async read(place: VmPlace): Promise<VmRecord> {
    this.forget(place.vmid);
    const config = (await this.#api.nodes.$(place.node).qemu.$(place.vmid).config.$get()) as unknown as Readonly<
      Record<string, unknown>
    >;
    const text = (name: string) => (config[name] === undefined ? undefined : String(config[name]));
    const record: VmRecord = {
      vmid: place.vmid,
      node: place.node,
      name: text('name'),
      lock: text('lock'),
      isTemplate: text('template') === '1',
      digest: text('digest'),
      marker: readVmMarker(text('description')),
      config,
    };
    this.#known.set(place.vmid, { record, readAtMs: this.#clock.monotonicMs() });
    return record;
  }

  /** As it was read within the last minutes, when it was on the same node. @throws PveError */
  recent(place: VmPlace): Promise<VmRecord> {
    const known = this.#known.get(place.vmid);
    const isGood = known !== undefined && known.record.node === place.node;
    if (isGood && this.#clock.monotonicMs() - known.readAtMs < goodMs) return Promise.resolve(known.record);
    const running = this.#running.get(place.vmid) ?? this.read(place);
    this.#running.set(place.vmid, running);
    const done = () => {
      if (this.#running.get(place.vmid) === running) this.#running.delete(place.vmid);
    };
    running.then(done, done);
    return running;
  }

  forget(vmid: number): void {
    this.#known.delete(vmid);
    this.#running.delete(vmid);
  }
}
