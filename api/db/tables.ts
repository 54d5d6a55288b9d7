/** The rows of every table. Milliseconds are UTC since 1970; `0 | 1` is a boolean; `…Json` is JSON text. */
export interface Tables {
  workspaces: WorkspaceRow;
  apiKeys: ApiKeyRow;
  nodes: NodeRow;
  desktops: DesktopRow;
  desktopLabels: { workspaceId: string; desktopId: string; name: string; value: string };
  assignments: AssignmentRow;
  poolDemand: PoolDemandRow;
  events: EventRow;
  idempotency: IdempotencyRow;
  counters: { name: string; value: number };
  authorities: AuthorityRow;
  joinTokens: JoinTokenRow;
  nodeCertificates: NodeCertificateRow;
  tunnels: TunnelRow;
  streamTickets: StreamTicketRow;
  migrations: { name: string; appliedMs: number };
}

export interface WorkspaceRow {
  id: string;
  name: string;
  tier: string;
  desktopsMax: number;
  vcpusMax: number;
  memoryMiBMax: number;
  diskGiBMax: number;
  /** What its desktops hold; a stopped one counts, a destroyed one does not. */
  usedDesktops: number;
  usedVcpus: number;
  usedMemoryMiB: number;
  usedDiskGiB: number;
  createdMs: number;
}

export interface ApiKeyRow {
  id: string;
  workspaceId: string;
  name: string;
  /** SHA-256 of the secret, hexadecimal. */
  hash: string;
  lastFour: string;
  capabilitiesJson: string;
  restrictionJson: string | null;
  createdBy: string | null;
  createdMs: number;
  expiresMs: number | null;
  revokedMs: number | null;
  lastUsedMs: number | null;
}

export interface NodeRow {
  id: string;
  name: string;
  /** Unique over all nodes, so that an epoch names one run of one hostd. */
  epoch: number;
  lastSeq: number;
  /** Raised in the transaction of every change to an order of this node. */
  revision: number;
  heardMs: number;
  guestAddress: string;
  cordoned: number;
  vcpus: number;
  memoryMiB: number;
  diskFreeMiB: number;
  reservedVcpus: number;
  reservedMemoryMiB: number;
  reservedDiskGiB: number;
  helloJson: string;
  strangersJson: string;
  createdMs: number;
  /** Given by people; what `nodeSelector` of a new desktop is compared with. */
  labelsJson: string;
  /** Free disk when it held least, which is what it has for desktops. */
  diskMiB: number;
  /** When it joined by a token; null: it is on this machine and comes by the Unix socket. */
  joinedMs: number | null;
  /** When what runs there is stopped; null: not being drained. */
  drainMs: number | null;
  /** When nothing ran there any more. */
  drainedMs: number | null;
  /** When a person said that it is off. */
  fencedMs: number | null;
  /** When it was taken out of service for good. */
  decommissionedMs: number | null;
}

/** A certificate authority of ours, shared by all replicas. */
export interface AuthorityRow {
  name: string;
  certificatePem: string;
  /** Sealed with a key that is never in the database. */
  keySealed: string;
  createdMs: number;
}

export interface JoinTokenRow {
  id: string;
  workspaceId: string;
  /** SHA-256 of the secret, hexadecimal. */
  hash: string;
  /** The only name that may join with it; null: any that is free. */
  nodeName: string | null;
  /** The node that comes back with it under its own id; null: a new one. */
  nodeId: string | null;
  labelsJson: string;
  createdBy: string;
  createdMs: number;
  expiresMs: number;
  usedMs: number | null;
}

export interface NodeCertificateRow {
  /** Hexadecimal, lower case. */
  serial: string;
  nodeId: string;
  createdMs: number;
  expiresMs: number;
  revokedMs: number | null;
}

/** A right to open one live stream, once. */
export interface StreamTicketRow {
  /** SHA-256 of the ticket, hexadecimal. */
  hash: string;
  workspaceId: string;
  keyId: string;
  desktopId: string;
  wishJson: string;
  expiresMs: number;
}

/** Which replica a node without an address of its own has called. */
export interface TunnelRow {
  nodeId: string;
  replicaId: string;
  /** Where the other replicas reach that one. */
  replicaAddress: string;
  heardMs: number;
}

export interface DesktopRow {
  id: string;
  workspaceId: string;
  assignmentId: string;
  /** That of the assignment, so that a list need not look there. */
  nodeId: string;
  name: string;
  size: string | null;
  templateName: string;
  labelsJson: string;
  timeZone: string;
  ephemeral: number;
  ttlSeconds: number | null;
  expiresMs: number | null;
  createdMs: number;
  startedMs: number;
  runningMs: number | null;
  readyMs: number | null;
  deletedMs: number | null;
  destroyedMs: number | null;
  /** Raised with every change that the wire shape can show. */
  version: number;
}

export interface AssignmentRow {
  id: string;
  workspaceId: string;
  desktopId: string | null;
  nodeId: string;
  vmRef: string;
  templateId: string;
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  network: string;
  hostName: string;
  timeZone: string;
  configJson: string;
  gracefulStopSeconds: number;
  desired: string;
  desiredBoot: number;
  generation: number;
  cloneSeen: number;
  /** Whether it holds processors and memory of its node: from create or start until it was seen off. */
  holdsMemory: number;
  observedGeneration: number;
  presence: string;
  power: string;
  boot: number;
  ready: number;
  agentReady: number;
  startMode: string | null;
  ipAddress: string | null;
  faultJson: string | null;
  /** Who holds control of its desktop, as its node told. */
  controlJson: string | null;
  observedMs: number | null;
  /** When its absence was observed after it was to be deleted; from then on it is no order any more. */
  closedMs: number | null;
  /** What it can be claimed as, while it waits in the pool; null from the claim on. */
  poolKey: string | null;
  /** Raised by a claim: the guest is told anew who it is. */
  identityVersion: number;
}

/** How often desktops of one kind were created of late. */
export interface PoolDemandRow {
  poolKey: string;
  templateId: string;
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  network: string;
  /** Creates in thousandths, each counting half after ten minutes, as of `lastMs`. */
  recentMilli: number;
  lastMs: number;
}

export interface EventRow {
  position: number;
  id: string;
  workspaceId: string;
  type: string;
  desktopId: string | null;
  actorType: string;
  actorId: string | null;
  requestId: string | null;
  dataJson: string;
  createdMs: number;
}

export interface IdempotencyRow {
  keyId: string;
  idempotencyKey: string;
  requestHash: string;
  /** Null while the first request runs. */
  status: number | null;
  bodyText: string | null;
  createdMs: number;
}
