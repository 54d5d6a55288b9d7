import * as actions from '../guest/actionSchema.ts';
import * as clipboard from '../guest/clipboardSchema.ts';
import * as control from '../guest/controlSchema.ts';
import * as files from '../guest/fileSchema.ts';
import { guestOperationsBelow } from '../guest/operations.ts';
import * as shell from '../guest/shellSchema.ts';
import * as terminals from '../guest/terminalSchema.ts';
import { ErrorCode, FieldError, NodeProblem } from '../http/problemSchema.ts';
import { reportMetrics } from '../metrics/contract.ts';
import * as metrics from '../metrics/nodeSchema.ts';
import { syncOperations } from '../nodes/contract.ts';
import * as joining from '../nodes/joinSchema.ts';
import * as nodes from '../nodes/schema.ts';
import { giveRecording, openStream, putTerminalRecording } from '../streams/nodeContract.ts';
import { StreamKind } from '../streams/schema.ts';
import type { Contract } from './document.ts';
import { nodeExamples } from './nodeExamples.ts';

/** Schemas of the guest half that are components in both documents. */
export const guestComponents = {
  Action: actions.Action,
  ActionBatch: actions.ActionBatch,
  ActionBatchResult: actions.ActionBatchResult,
  ActionResult: actions.ActionResult,
  Coordinates: actions.Coordinates,
  Frame: actions.Frame,
  Image: actions.Image,
  ImageFormat: actions.ImageFormat,
  MouseButton: actions.Button,
  Region: actions.Region,
  Screenshot: actions.Screenshot,
  ScreenshotWish: actions.ScreenshotWish,
  Window: actions.Window,
  ClickBody: actions.ClickBody,
  DragBody: actions.DragBody,
  ScrollBody: actions.ScrollBody,
  TypeBody: actions.TypeBody,
  KeyBody: actions.KeyBody,
  Clipboard: clipboard.Clipboard,
  WindowList: clipboard.WindowList,
  Control: control.Control,
  ControlHolder: control.ControlHolder,
  ControlLease: control.ControlLease,
  TakeControl: control.TakeControl,
  Terminal: terminals.Terminal,
  TerminalList: terminals.TerminalList,
  FileEntry: files.FileEntry,
  FileList: files.FileList,
  DirectoryBody: files.DirectoryBody,
  MoveBody: files.MoveBody,
  WriteReceipt: files.WriteReceipt,
  Upload: files.Upload,
  UploadBody: files.UploadBody,
  FinishUploadBody: files.FinishUploadBody,
  ExecBody: shell.ExecBody,
  BashBody: shell.BashBody,
  PythonBody: shell.PythonBody,
  ExecResult: shell.ExecResult,
  Process: shell.Process,
  ProcessBody: shell.ProcessBody,
  ProcessList: shell.ProcessList,
  ProcessOutput: shell.ProcessOutput,
  SignalBody: shell.SignalBody,
  ErrorCode,
  FieldError,
};

export const guestTags = {
  computer: 'Eyes and hands: screenshots, mouse, keyboard, clipboard, windows.',
  control: 'Who may use mouse and keyboard now: an agent or a person.',
  shell: 'Commands in the desktop.',
  files: 'Files of the desktop.',
};

export function nodeContract(version: string): Contract {
  return {
    title: 'Le Bureau: node contract',
    version,
    description:
      'What hostd and the API say to each other. `/node/v1` is served by the API on its node listener; `/guest` is served by hostd.',
    operations: [
      ...syncOperations,
      reportMetrics,
      giveRecording,
      ...guestOperationsBelow('/guest/:assignmentId', { assignmentId: nodes.AssignmentId }, 'node'),
      putTerminalRecording,
      openStream,
    ],
    named: {
      ...guestComponents,
      Assignment: nodes.Assignment,
      AssignmentList: nodes.AssignmentList,
      Hardware: nodes.Hardware,
      NodeHello: nodes.NodeHello,
      NodeTemplate: nodes.NodeTemplate,
      NodeWelcome: nodes.NodeWelcome,
      StreamKind,
      Observation: nodes.Observation,
      ObservationReport: nodes.ObservationReport,
      ObservationReceipt: nodes.ObservationReceipt,
      ObservedFault: nodes.ObservedFault,
      MetricsReport: metrics.MetricsReport,
      MetricsReceipt: metrics.MetricsReceipt,
      MetricsSample: metrics.MetricsSample,
      MetricsValues: metrics.MetricsValues,
      JoinRequest: joining.JoinRequest,
      Joined: joining.Joined,
      RenewRequest: joining.RenewRequest,
      Renewed: joining.Renewed,
      TrustAnchor: joining.TrustAnchor,
    },
    tags: {
      sync: 'Orders to a node and what it saw. Served by the API.',
      ...guestTags,
      streams: 'Live sockets: screen, terminal, ports.',
    },
    security: {
      name: 'nodeIdentity',
      scheme: {
        type: 'mutualTLS',
        description: 'Mutual TLS; on one machine a Unix socket that only its owner may open takes its place.',
      },
    },
    problem: NodeProblem,
    examples: nodeExamples,
  };
}
