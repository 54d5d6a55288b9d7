import { idBody, newId } from '@lebureau/kit/id';
import type { AssignmentRow } from '../db/tables.ts';
import { notMoving } from './moveRoom.ts';
import type { Placement } from './placement.ts';
import type { Hardware } from './store.ts';

const gracefulStopSeconds = 30;

type Owner = Pick<AssignmentRow, 'workspaceId' | 'desktopId' | 'hostName' | 'timeZone' | 'poolKey'>;

/** The order to make a machine at this place and to let it run. */
export function newAssignment(
  place: Omit<Placement, 'limits'>,
  hardware: Hardware,
  owner: Owner & { nowMs: number },
): AssignmentRow {
  const { nowMs, ...owned } = owner;
  const id = newId('asg', nowMs);
  return {
    id,
    ...owned,
    nodeId: place.nodeId,
    vmRef: `lb-${idBody(id)}`,
    templateId: place.template.id,
    vcpus: hardware.vcpus,
    memoryMiB: hardware.memoryMiB,
    diskGiB: hardware.diskGiB,
    network: place.network,
    configJson: '{}',
    gracefulStopSeconds,
    desired: 'running',
    desiredBoot: 1,
    generation: 1,
    cloneSeen: 0,
    holdsMemory: 1,
    observedGeneration: 0,
    presence: 'absent',
    power: 'off',
    boot: 0,
    ready: 0,
    agentReady: 0,
    startMode: null,
    ipAddress: null,
    faultJson: null,
    controlJson: null,
    observedMs: null,
    closedMs: null,
    identityVersion: 0,
    ...notMoving,
    moveFaultJson: null,
    formerNodesJson: null,
  };
}
