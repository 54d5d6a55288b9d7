import { t } from '../http/schema.ts';
import * as control from './controlSchema.ts';
import type { GuestOperation } from './guestOperation.ts';
import { TerminalList, TerminalName } from './terminalSchema.ts';

/** Who may write now. */
export const controlOperations: GuestOperation[] = [
  {
    operationId: 'getControl',
    method: 'GET',
    path: '/control',
    summary: 'See who has control',
    capability: 'desktop:control',
    bucket: 'control',
    response: control.Control,
    younger: true,
  },
  {
    operationId: 'takeControl',
    method: 'POST',
    path: '/control',
    summary: 'Take control, or renew it with its `leaseToken`',
    capability: 'desktop:control',
    bucket: 'control',
    body: control.TakeControl,
    response: control.ControlLease,
    problems: ['human_control', 'control_held'],
    secret: 'leaseToken',
    younger: true,
  },
  {
    operationId: 'handBackControl',
    method: 'DELETE',
    path: '/control',
    summary: 'Hand control back',
    capability: 'desktop:control',
    bucket: 'control',
    response: 'nothing',
    problems: ['human_control', 'control_held'],
    younger: true,
  },
];

const terminalParams = t.Object({ terminalName: TerminalName });
/** Terminals apart from the streams that show them. */
export const terminalOperations: GuestOperation[] = [
  {
    operationId: 'listTerminals',
    method: 'GET',
    path: '/terminals',
    summary: 'List terminals, shown or not',
    capability: 'desktop:control',
    bucket: 'exec',
    response: TerminalList,
    younger: true,
  },
  {
    operationId: 'deleteTerminal',
    method: 'DELETE',
    path: '/terminals/:terminalName',
    summary: 'End a terminal and what runs in it',
    capability: 'desktop:control',
    bucket: 'exec',
    params: terminalParams,
    response: 'nothing',
    younger: true,
  },
  {
    operationId: 'readTerminalRecording',
    method: 'GET',
    path: '/terminals/:terminalName/recording',
    summary: 'Read the recording of a terminal (asciicast v2)',
    capability: 'desktop:control',
    bucket: 'exec',
    params: terminalParams,
    response: 'octets',
    younger: true,
  },
];
