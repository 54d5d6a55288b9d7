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
  authorityGenerations: AuthorityGenerationRow;
  joinTokens: JoinTokenRow;
  nodeCertificates: NodeCertificateRow;
  tunnels: TunnelRow;
  streamTickets: StreamTicketRow;
  replicas: ReplicaRow;
  metricReports: MetricReportRow;
  metricChunks: MetricChunkRow;
  users: UserRow;
  identities: IdentityRow;
  members: MemberRow;
  sessions: SessionRow;
  signInLinks: SignInLinkRow;
  grants: GrantRow;
  oauthRecords: OauthRecordRow;
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
  /** What it has for desktops in all: what is free and what they hold already. */
  diskMiB: number;
  /** When it joined by a token; null: it is on this machine and comes by the Unix socket. */
  joinedMs: number | null;
  /** When what runs there is stopped; null: not being drained. */
  drainMs: number | null;
  /** When nothing ran there any more. */
  drainedMs: number | null;
  /** `move`: to other nodes of its cluster; `stop`. */
  drainMode: string;
  /** What happens after the grace to those that could not be moved: `stop` or `leave`. */
  drainUnmoved: string;
  /** When a person said that it is off. */
  fencedMs: number | null;
  /** When it was taken out of service for good. */
  decommissionedMs: number | null;
  /** Of the last report of metrics within this epoch, and when that or an earlier one came; null: never. */
  metricsSeq: number;
  metricsMs: number | null;
}

/** A certificate authority of ours, shared by all replicas. */
export interface AuthorityRow {
  name: string;
  certificatePem: string;
  /** Sealed with a key that is never in the database. */
  keySealed: string;
  createdMs: number;
  generation: number;
}

/** A pair of authorities, and how far it is on its way to take the place of the one before; each step once. */
export interface AuthorityGenerationRow {
  generation: number;
  createdMs: number;
  /** When those of before are dropped even if nodes have not renewed; null: of the first. */
  deadlineMs: number | null;
  /** From when it signs nodes: every replica has read it. */
  signsMs: number | null;
  /** From when replicas show certificates of it: every node trusts it and has a certificate of it. */
  shownMs: number | null;
  /** When it was dropped, since every replica showed a newer one. */
  droppedMs: number | null;
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
  /** Of the authority by which whoever holds it will know the API. */
  generation: number;
}

export interface NodeCertificateRow {
  /** Hexadecimal, lower case. */
  serial: string;
  nodeId: string;
  createdMs: number;
  expiresMs: number;
  /** No call begins with it any more, and those that run are cut. */
  revokedMs: number | null;
  /** It was revoked because a newer one of the same node was used: the calls that run come to their end. */
  replacedMs: number | null;
  /** Of the authority that signed it. */
  generation: number;
}

/** A replica with a listener for nodes of other machines. */
export interface ReplicaRow {
  id: string;
  /** Where nodes and other replicas reach it. */
  address: string;
  /** The newest generation of authorities that it has read. */
  generation: number;
  /** That of the certificate that it shows. */
  shownGeneration: number;
  heardMs: number;
}

/** A right to open one live stream, once. */
export interface StreamTicketRow {
  /** SHA-256 of the ticket, hexadecimal. */
  hash: string;
  workspaceId: string;
  /** `key` or `user`, and which. */
  actorType: string;
  actorId: string;
  /** Of a user: the stream ends with it. */
  sessionId: string | null;
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
  /** Labels that its node must have, wherever it is placed. */
  nodeSelectorJson: string;
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
  /** Raised by a claim and by a move: the guest is told anew who it is. */
  identityVersion: number;
  /** The member of the cluster that it is ordered to go to; null: it stays, or that was called off. */
  moveTo: string | null;
  /** The node that keeps room for it, from the order until it is there or is known to stay. */
  moveNodeId: string | null;
  /** Whether that room has processors and memory, too. */
  moveHolds: number;
  /** Why it could not be moved. */
  moveFaultJson: string | null;
  /** Nodes that it moved away from, the last one at the end: what they recorded of it may come after it. */
  formerNodesJson: string | null;
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
  /** What a client calls itself. */
  actorName: string | null;
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

export interface UserRow {
  id: string;
  name: string;
  /** In lower case, and verified by a provider or named by who invited; unique. */
  email: string | null;
  createdMs: number;
  lastSignInMs: number | null;
}

/** By what a provider knows a person. */
export interface IdentityRow {
  /** URL of the OpenID issuer, or of the OAuth provider. */
  issuer: string;
  /** Its name for the person, which never changes. */
  subject: string;
  userId: string;
  createdMs: number;
}

export interface MemberRow {
  workspaceId: string;
  userId: string;
  role: string;
  createdMs: number;
}

export interface SessionRow {
  id: string;
  userId: string;
  /** SHA-256 of the secret in the cookie, hexadecimal. */
  hash: string;
  userAgent: string;
  ipAddress: string;
  createdMs: number;
  lastUsedMs: number;
  revokedMs: number | null;
}

export interface SignInLinkRow {
  id: string;
  workspaceId: string;
  /** SHA-256 of the secret, hexadecimal. */
  hash: string;
  /** Who signs in with it; null: somebody new. */
  userId: string | null;
  /** Of somebody new. */
  role: string;
  name: string;
  email: string | null;
  createdBy: string | null;
  createdMs: number;
  expiresMs: number;
  usedMs: number | null;
}

/** What somebody allowed an MCP client. */
export interface GrantRow {
  id: string;
  workspaceId: string;
  userId: string;
  /** As it registered, or the URL of its metadata. */
  clientId: string;
  clientName: string;
  /** Where the browser was sent back to. */
  redirectHost: string;
  /** URL of what the tokens are for. */
  resource: string;
  capabilitiesJson: string;
  createdMs: number;
  lastUsedMs: number;
  revokedMs: number | null;
}

/** A code, token, open request or registered client of the authorization server; what is in it is the gateway's matter. */
export interface OauthRecordRow {
  kind: string;
  /** SHA-256 of what names it, hexadecimal. */
  hash: string;
  grantId: string | null;
  payloadJson: string;
  expiresMs: number;
  consumedMs: number | null;
}

/** Metrics of several desktops as their node told them, until they are rolled up. */
export interface MetricReportRow {
  position: number;
  nodeId: string;
  /** Which of the node's desktops are in it (`partOf`). */
  part: number;
  receivedMs: number;
  /** How many are in it. */
  samples: number;
  data: Uint8Array;
}

/** Points of one desktop that stand beside each other (`packChunk`). */
export interface MetricChunkRow {
  desktopId: string;
  stepSeconds: number;
  startMs: number;
  data: Uint8Array;
}
