import type { components } from './generated/public.ts';

type Schemas = components['schemas'];

export type Action = Schemas['Action'];
export type ActionBatch = Schemas['ActionBatch'];
export type ActionBatchResult = Schemas['ActionBatchResult'];
export type ActionResult = Schemas['ActionResult'];
export type Coordinates = Schemas['Coordinates'];
export type Frame = Schemas['Frame'];
export type Image = Schemas['Image'];
export type ImageFormat = Schemas['ImageFormat'];
export type Region = Schemas['Region'];
export type ScreenshotWire = Schemas['Screenshot'];
export type ScreenshotWish = Schemas['ScreenshotWish'];
export type Window = Schemas['Window'];

export type ExecResult = Schemas['ExecResult'];
export type ExecBody = Schemas['ExecBody'];
export type BashBody = Schemas['BashBody'];
export type PythonBody = Schemas['PythonBody'];
export type ProcessBody = Schemas['ProcessBody'];
export type Process = Schemas['Process'];
export type ProcessOutput = Schemas['ProcessOutput'];

export type FileEntry = Schemas['FileEntry'];
export type FileList = Schemas['FileList'];
export type WriteReceipt = Schemas['WriteReceipt'];

export type ControlState = Schemas['Control'];
export type ControlHolder = Schemas['ControlHolder'];
export type ControlTake = Schemas['TakeControl'];
export type StreamCreate = Schemas['CreateStream'];
export type StreamTicket = Schemas['StreamTicket'];
export type Terminal = Schemas['Terminal'];

export type DesktopData = Schemas['Desktop'];
export type DesktopCreate = Schemas['CreateDesktop'];
export type DesktopUpdate = Schemas['UpdateDesktop'];
export type DesktopMetrics = Schemas['DesktopMetrics'];
export type DesktopStatus = DesktopData['status'];
export type Template = Schemas['Template'];
export type Node = Schemas['Node'];
export type Key = Schemas['ApiKey'];
export type KeyCreate = Schemas['CreateKey'];
export type KeyCreated = Schemas['CreatedKey'];
export type Me = Schemas['Me'];
export type About = Schemas['About'];
export type Event = Schemas['Event'];
