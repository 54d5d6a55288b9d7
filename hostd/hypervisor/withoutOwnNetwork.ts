/**
 * A kernel command line without what the QEMU driver's own network adds to it: the fixed address, and the word by which the
 * guest leaves its network services and the guest agent alone. What boots elsewhere is given its address by the agent.
 */
export function withoutOwnNetwork(commandLine: string): string {
  return commandLine
    .split(' ')
    .filter((word) => !/^(?:ip|lebureau\.network)=/.test(word))
    .join(' ');
}
