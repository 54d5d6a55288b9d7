import * as about from '../about/contract.ts';
import { desktopOperations } from '../desktops/contract.ts';
import * as desktops from '../desktops/schema.ts';
import * as events from '../events/contract.ts';
import { guestOperationsBelow } from '../guest/operations.ts';
import * as health from '../health/contract.ts';
import type { Operation } from '../http/operation.ts';
import { Problem } from '../http/problemSchema.ts';
import { keyOperations } from '../keys/contract.ts';
import * as keys from '../keys/schema.ts';
import * as me from '../me/contract.ts';
import * as authority from '../nodes/authorityContract.ts';
import { metricsOperations } from '../metrics/contract.ts';
import * as metrics from '../metrics/schema.ts';
import * as joining from '../nodes/joinSchema.ts';
import * as nodes from '../nodes/publicContract.ts';
import { Hardware } from '../nodes/schema.ts';
import { grantOperations } from '../grants/contract.ts';
import * as grants from '../grants/schema.ts';
import { sessionOperations } from '../sessions/contract.ts';
import { PeoplesSession, Session, SessionList } from '../sessions/schema.ts';
import { signInOperations } from '../signIn/contract.ts';
import * as signIn from '../signIn/schema.ts';
import { streamOperations } from '../streams/contract.ts';
import * as streams from '../streams/schema.ts';
import * as templates from '../templates/contract.ts';
import { userOperations } from '../users/contract.ts';
import * as users from '../users/schema.ts';
import type { Contract } from './document.ts';
import { guestComponents, guestTags } from './nodeContract.ts';
import { publicExamples } from './publicExamples.ts';

export const publicOperations: readonly Operation[] = [
  ...me.meOperations,
  ...desktopOperations,
  ...metricsOperations,
  ...guestOperationsBelow('/v1/desktops/:desktopId', desktops.desktopParams),
  ...streamOperations,
  ...templates.templateOperations,
  ...nodes.nodeOperations,
  ...keyOperations,
  ...userOperations,
  ...sessionOperations,
  ...signInOperations,
  ...grantOperations,
  ...events.eventOperations,
  ...about.aboutOperations,
  ...health.healthOperations,
];

const people = {
  User: users.User,
  UserList: users.UserList,
  UpdateUser: users.UpdateUser,
  Role: users.Role,
  Session,
  SessionList,
  PeoplesSession,
  CreateSignInLink: signIn.CreateSignInLink,
  CreatedSignInLink: signIn.CreatedSignInLink,
  SignInLink: signIn.SignInLink,
  SignedIn: signIn.SignedInAnswer,
  FoundSession: signIn.FoundSession,
  Grant: grants.Grant,
  GrantList: grants.GrantList,
  GrantCapability: grants.GrantCapability,
  CreateGrant: grants.CreateGrant,
  FoundGrant: grants.FoundGrant,
  GrantIds: grants.GrantIds,
  OauthRecordName: grants.OauthRecordName,
  SaveOauthRecord: grants.SaveOauthRecord,
  FoundOauthRecord: grants.FoundOauthRecord,
  ConsumedOauthRecord: grants.ConsumedOauthRecord,
};

const tags = {
  me: 'The calling key.',
  desktops: 'Desktops and their life.',
  ...guestTags,
  streams: 'Live sockets: screen, terminal, ports.',
  templates: 'What desktops are cloned from.',
  nodes: 'Machines that run desktops.',
  keys: 'API keys.',
  users: 'People.',
  sessions: 'Where you are signed in.',
  grants: 'MCP clients that people allowed in.',
  signIn: 'For the gateway only.',
  events: 'What happened.',
  about: 'This service.',
  health: 'For those who run it.',
};

export function publicContract(version: string): Contract {
  return {
    title: 'Le Bureau API',
    version,
    description:
      'Full Linux desktops for AI agents: create one, see it, drive it, run commands, move files, delete it.\n\nA path answers methods that it does not have with 405 `method_not_allowed` and the header `Allow`; parameters that an operation does not know are refused.',
    operations: publicOperations,
    named: {
      ...guestComponents,
      Desktop: desktops.Desktop,
      DesktopList: desktops.DesktopList,
      DesktopStatus: desktops.DesktopStatus,
      DesktopAction: desktops.DesktopAction,
      DesktopError: desktops.DesktopError,
      CreateDesktop: desktops.CreateDesktop,
      UpdateDesktop: desktops.UpdateDesktop,
      DesktopMetrics: metrics.DesktopMetrics,
      MetricsPoint: metrics.MetricsPoint,
      SizeName: desktops.SizeName,
      Hardware,
      ApiKey: keys.ApiKey,
      KeyList: keys.KeyList,
      CreateKey: keys.CreateKey,
      CreatedKey: keys.CreatedKey,
      Capability: keys.CapabilityName,
      KeyRestriction: keys.KeyRestriction,
      ...people,
      CreateStream: streams.CreateStream,
      StreamKind: streams.StreamKind,
      EnteredPreview: streams.EnteredPreview,
      StreamTicket: streams.StreamTicket,
      Event: events.Event,
      EventList: events.EventList,
      Me: me.Me,
      About: about.About,
      Health: health.Health,
      ServiceHealth: health.ServiceHealth,
      Template: templates.Template,
      TemplateList: templates.TemplateList,
      Node: nodes.Node,
      NodeList: nodes.NodeList,
      UpdateNode: nodes.UpdateNode,
      DrainNode: nodes.DrainNode,
      DecommissionNode: nodes.DecommissionNode,
      CreateJoinToken: joining.CreateJoinToken,
      CreatedJoinToken: joining.CreatedJoinToken,
      JoinToken: joining.JoinToken,
      NodeAuthority: authority.NodeAuthority,
      RotateNodeAuthority: authority.RotateNodeAuthority,
    },
    tags,
    security: { name: 'apiKey', scheme: { type: 'http', scheme: 'bearer', description: 'An API key, `lb_live_…`.' } },
    problem: Problem,
    examples: publicExamples,
  };
}
