import { dlopen, FFIType, ptr } from 'bun:ffi';

/**
 * Runs a program that cannot hear of changes to this machine's networks: each VM that starts changes them, and Chromium
 * drops every request then (ERR_NETWORK_CHANGED). It learns of them by a netlink socket; here a filter refuses to make one,
 * and Chromium goes on as if nothing ever changed. `deafToNetworks.ts PROGRAM ARGUMENT…` becomes that program.
 */

const auditArchX64 = 0xc000003e;
const socketCall = 41;
const familyNetlink = 16;
const refused = 0x00050000 | 93; // SECCOMP_RET_ERRNO | EPROTONOSUPPORT
const allowed = 0x7fff0000;
const [load, jumpIfEqual, answer] = [0x20, 0x15, 0x06];
/** Of `struct seccomp_data`. */
const at = { call: 0, architecture: 4, firstArgument: 16 };

/** `struct sock_filter`: code, jump if true, jump if false, value. */
const instructions: [code: number, then: number, otherwise: number, value: number][] = [
  [load, 0, 0, at.architecture],
  [jumpIfEqual, 0, 5, auditArchX64],
  [load, 0, 0, at.call],
  [jumpIfEqual, 0, 3, socketCall],
  [load, 0, 0, at.firstArgument],
  [jumpIfEqual, 0, 1, familyNetlink],
  [answer, 0, 0, refused],
  [answer, 0, 0, allowed],
];
const prctlNoNewPrivileges = 38;
const prctlSeccomp = 22;
const modeFilter = 2;
const setDescriptorFlags = 2;

const libc = dlopen('libc.so.6', {
  prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  execv: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
});

const filter = new DataView(new ArrayBuffer(instructions.length * 8));
for (const [index, [code, then, otherwise, value]] of instructions.entries()) {
  filter.setUint16(index * 8, code, true);
  filter.setUint8(index * 8 + 2, then);
  filter.setUint8(index * 8 + 3, otherwise);
  filter.setUint32(index * 8 + 4, value, true);
}
const program = new DataView(new ArrayBuffer(16));
program.setUint16(0, instructions.length, true);
program.setBigUint64(8, BigInt(ptr(filter)), true);
if (libc.symbols.prctl(prctlNoNewPrivileges, 1n, 0n, 0n, 0n) !== 0) throw new Error('no_new_privs was refused.');
if (libc.symbols.prctl(prctlSeccomp, BigInt(modeFilter), BigInt(ptr(program)), 0n, 0n) !== 0)
  throw new Error('The filter was refused.');

// The pipe by which it is driven, which Bun would close.
for (const descriptor of [3, 4]) libc.symbols.fcntl(descriptor, setDescriptorFlags, 0);

const words = process.argv.slice(2).map((word) => Buffer.from(`${word}\0`));
const list = new BigUint64Array([...words.map((word) => BigInt(ptr(word))), 0n]);
libc.symbols.execv(ptr(words[0]!), ptr(list));
throw new Error(`${process.argv[2]} cannot be started.`);
