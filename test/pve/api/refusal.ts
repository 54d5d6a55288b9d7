/** An answer of PVE that is not 200. `reason` is the status line's text; without `message` the answer has no body. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly details: { errors?: Record<string, string>; body?: 'none'; message?: string } = {},
  ) {
    super(reason);
  }
}

/** Perl's `die`: 500 with the text as reason and as message. */
export function died(text: string): Refusal {
  return new Refusal(500, text);
}

/** `raise_param_exc`: 400 with one text for each parameter. */
export function badParameters(errors: Record<string, string>): Refusal {
  return new Refusal(400, 'Parameter verification failed.', { errors });
}

/** `raise_perm_exc`. */
export function forbidden(what?: string): Refusal {
  return new Refusal(403, what === undefined ? 'Permission check failed' : `Permission check failed (${what})`);
}

export function noConfig(vmid: number, node: string): Refusal {
  return died(`Configuration file 'nodes/${node}/qemu-server/${vmid}.conf' does not exist`);
}

export function noConfigFile(vmid: number, node: string): Refusal {
  return died(`unable to find configuration file for VM ${vmid} on node '${node}'`);
}
