/** Which calls a fault meets: `POST /nodes/{node}/qemu/{vmid}/clone`, or a piece of it. */
export interface FaultRule {
  on: string | RegExp;
  /** How many calls; without it, all until it is lifted. */
  times?: number;
}

export interface FaultKinds {
  /** The answer comes this much later. */
  slow: FaultRule & { ms: number };
  /** Carried out, and the connection ends without an answer. */
  lostAnswer: FaultRule;
  /** The connection ends and nothing was done. */
  lostRequest: FaultRule;
  /** Between the daemon asked and the one that does it: 595, 596 or 599 without a body. Default `596 Broken pipe`. */
  brokenPipe: FaultRule & { status?: number; reason?: string };
  /** An answer of this status and reason instead of the real one; nothing is done. */
  answer: FaultRule & { status: number; reason: string };
}

export type FaultKind = keyof FaultKinds;

interface Standing<K extends FaultKind = FaultKind> {
  kind: K;
  rule: FaultKinds[K];
  left: number;
}

/** Switchable faults of single calls. What is wrong with the cluster itself is in its state. */
export class Faults {
  private standing: Standing[] = [];

  /** @returns lifts it again. */
  add<K extends FaultKind>(kind: K, rule: FaultKinds[K]): () => void {
    const one: Standing = { kind, rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.standing.push(one);
    return () => {
      this.standing = this.standing.filter((other) => other !== one);
    };
  }

  clear(): void {
    this.standing = [];
  }

  /** The first standing fault of this kind for `METHOD template`; counts it down. */
  meets<K extends FaultKind>(kind: K, call: string): FaultKinds[K] | undefined {
    const one = this.standing.find((other) => other.kind === kind && other.left > 0 && matches(other.rule.on, call));
    if (one === undefined) return undefined;
    one.left -= 1;
    return one.rule as FaultKinds[K];
  }
}

function matches(on: string | RegExp, call: string): boolean {
  return typeof on === 'string' ? call.includes(on) : on.test(call);
}
