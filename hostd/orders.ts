import type { components } from '@lebureau/openapi/node';

/** Wire shapes between the API and hostd, of `openapi/node.json`. */
type Schemas = components['schemas'];

export type Assignment = Schemas['Assignment'];
export type AssignmentList = Schemas['AssignmentList'];
export type Observation = Schemas['Observation'];
export type ObservedFault = NonNullable<Observation['fault']>;
export type ObservationReport = Schemas['ObservationReport'];
export type Stranger = ObservationReport['strangers'][number];
export type ObservationReceipt = Schemas['ObservationReceipt'];
export type MetricsReport = Schemas['MetricsReport'];
export type MetricsValues = Schemas['MetricsValues'];
export type MetricsReceipt = Schemas['MetricsReceipt'];
export type NodeHello = Schemas['NodeHello'];
export type NodeWelcome = Schemas['NodeWelcome'];

/** The API's node listener as hostd uses it. Every call may be late, lost, or answered twice. */
export interface OrderDesk {
  /** @throws Fault `epoch_superseded` when another hostd took over this node; `api_unreachable` when nobody answers. */
  hello(hello: NodeHello, signal: AbortSignal): Promise<NodeWelcome>;
  /** Waits up to `waitSeconds` for a list that is not `after`. Always the full list. */
  assignments(
    ask: { epoch: number; after?: string; waitSeconds: number },
    signal: AbortSignal,
  ): Promise<AssignmentList>;
  report(report: ObservationReport, signal: AbortSignal): Promise<ObservationReceipt>;
  /** Only of an API whose welcome asked for it. */
  metrics(report: MetricsReport, signal: AbortSignal): Promise<MetricsReceipt>;
}
