import { idPattern } from '@lebureau/kit/id';
import { Labels } from '../desktops/schema.ts';
import { t } from '../http/schema.ts';
import { ApiAddresses, NodeName } from './schema.ts';

/** Wire shapes of joining: how a machine becomes a node and keeps its certificate fresh. */

const pem = (about: string) => t.String({ minLength: 1, maxLength: 8192, description: about });
const CertificateRequest = pem(
  'PKCS #10 in PEM, signed by the key that shall be certified. The name in it does not count.',
);
const expiresAtMs = t.Integer({ description: 'When the certificate ends; renew it before two thirds of its life.' });

export const CreateJoinToken = t.Object(
  {
    nodeName: t.Optional(NodeName),
    nodeId: t.Optional(
      t.String({
        pattern: idPattern('nod'),
        description:
          'For a node that lost its certificate: it comes back under this id, and what it had before is revoked.',
      }),
    ),
    labels: t.Optional(Labels),
    expiresInSeconds: t.Optional(t.Integer({ minimum: 60, maximum: 86_400, description: 'Default 3600.' })),
  },
  { additionalProperties: false, description: 'Without `nodeName` any free name may join with it.' },
);

export const JoinToken = t.Object({
  id: t.String({ pattern: idPattern('jtk') }),
  nodeName: t.Nullable(t.String()),
  expiresAt: t.String({ format: 'date-time' }),
});

export const CreatedJoinToken = t.Object({
  joinToken: JoinToken,
  token: t.Optional(t.String({ description: 'Shown once. It works once.' })),
  command: t.Optional(t.String({ description: 'What to run on the new node.' })),
});

export const TrustAnchor = t.Object({
  authority: pem('The certificate authority of the API, PEM. Its SHA-256 must be the one in the join token.'),
});

export const JoinRequest = t.Object({
  token: t.String({ maxLength: 200 }),
  nodeName: NodeName,
  certificateRequest: CertificateRequest,
});

export const Joined = t.Object({
  nodeId: t.String({ pattern: idPattern('nod') }),
  certificate: pem('Of this node, PEM. It names the node: no other row can be reached with it.'),
  expiresAtMs,
  apiAddresses: t.Optional(ApiAddresses),
});

export const RenewRequest = t.Object({ certificateRequest: CertificateRequest });
export const Renewed = t.Object({ certificate: pem('The new certificate, PEM.'), expiresAtMs });
