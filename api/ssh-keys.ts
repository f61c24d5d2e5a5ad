import { createRoute, z } from '@hono/zod-openapi';
import { insertKeyPair } from '../db/key-pairs.ts';
import { envelopeOf, success } from './envelope.ts';
import { createRouter } from './router.ts';
import { answers, open } from './routes.ts';

const PublicKeys = z.object({
  public_key: z.string().openapi({ description: 'One line, as in authorized_keys.' }),
  public_key_pkcs8: z.string().openapi({ description: 'The same key as PEM.' }),
});

export const sshKeys = createRouter().openapi(
  createRoute({
    ...open,
    method: 'post',
    path: '/actions/generate-ssh-key',
    tags: ['Public'],
    summary: 'Make a key pair for a tunnel or a warehouse',
    description:
      'The private half stays here. A pair that no destination, source or test names within 30 days is removed.',
    responses: answers(envelopeOf(PublicKeys)),
  }),
  async (c) => {
    const { db, keyPairs, sealer } = c.var.deps;
    const pair = await keyPairs.take();
    await insertKeyPair(db, { pair, sealer });
    const data = { public_key: pair.publicKey, public_key_pkcs8: pair.publicKeyPem };
    return c.json(success(data, 'Key pair made'), 200);
  },
);
