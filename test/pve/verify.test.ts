import { describe, expect, it } from 'vitest';
import { findReference, readSchema, type Method } from './api/reference.ts';
import { Refusal } from './api/refusal.ts';
import { verifyParameters } from './api/verify.ts';

const reference = findReference();

function errorsOf(method: Method, given: Record<string, string | number>): Record<string, string> {
  try {
    verifyParameters(method, { node: 'pve1', vmid: 4101, ...given });
    return {};
  } catch (error) {
    if (error instanceof Refusal) return error.details.errors ?? {};
    throw error;
  }
}

describe.skipIf(reference === undefined)('verifying parameters (needs shared/reference)', () => {
  const schema = reference === undefined ? {} : readSchema(reference);
  const config = schema['PUT /nodes/{node}/qemu/{vmid}/config'] as Method;

  it('names each bad one with the text PVE has for it', () => {
    expect(errorsOf(config, { cores: 0 })).toEqual({ cores: 'value must have a minimum value of 1' });
    expect(errorsOf(config, { onboot: 'yes' })).toEqual({ onboot: "type check ('boolean') failed - got 'yes'" });
    expect(errorsOf(config, { description: 'x'.repeat(8193) })).toEqual({
      description: 'value may only be 8192 characters long',
    });
    expect(errorsOf(config, { ostype: 'plan9' }).ostype).toMatch(
      /^value 'plan9' does not have a value in the enumeration/,
    );
    expect(errorsOf(config, { force: 1 })).toEqual({
      delete: "missing property - 'force' requires this property",
    });
  });

  it('looks into lists of key=value', () => {
    expect(errorsOf(config, { memory: 8 }).memory).toBe(
      'invalid format - format error\nmemory.current: value must have a minimum value of 16\n',
    );
    expect(errorsOf(config, { ipconfig0: 'ip=10.0.0.1' }).ipconfig0).toBe(
      'invalid format - format error\nipconfig0.ip: invalid format - value does not look like a valid ipv4 network configuration\n\n',
    );
    expect(errorsOf(config, { ipconfig0: 'gw=10.0.0.1' }).ipconfig0).toBe(
      "invalid format - format error\nipconfig0.ip: missing property - 'ipconfig0.gw' requires this property\n",
    );
    expect(errorsOf(config, { net0: 'virtio,bridge=a,bridge=b' }).net0).toBe(
      'invalid format - duplicate key in comma-separated list property: bridge\n',
    );
    expect(
      errorsOf(config, { agent: 'enabled=on,type=virtio', net0: 'virtio=BC:24:11:00:00:01,bridge=vmbr0' }),
    ).toEqual({});
  });

  it('can read every pattern of the schema', () => {
    for (const method of Object.values(schema)) {
      for (const name of Object.keys(method.parameters.properties ?? {})) {
        expect(() => errorsOf(method, { [name]: 'x' })).not.toThrow(SyntaxError);
      }
    }
  });
});
