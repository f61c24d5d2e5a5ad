import { createPrivateKey, createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyPool, fingerprintOf, makeKeyPair, toOpenSsh } from './key-pair.ts';

// What OpenSSH made of one key: the line in the .pub file, `-e -m PKCS8`, and what `-lf` prints.
const line =
  'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQD1ho+KpXkSXW1/JRP1dZ+2i/byXOcaVV2qa39rBzVg49KbKB1UQ0y8G73GTy' +
  'iBQw0ZWwNsHJLgtM0sbduF9HPhl+Bo8zItjh3fTlBOV2VaH6D68RXpXDLtG0fHrSpAVFutbv+h1fa02JT0XYnS+YG1' +
  'h8EpNfMH9ztYgfIFDqTfHpbj3rbaXfSugHitKpfH9soedOLIWlcryOMiTN6ZeFCKZban2gknPnnL5BfLMuZGPW6B46' +
  'vvCW4nsAZGT73ipEGAa/INe7eqzK8X24pr9BFuWAMtzoL6Vt25+xpKHZ2RDNoeQe0JZx/JCyKE4Sk8Yc1J/EcBi/eF' +
  'ZaAZMP4a57Pz';
const pem = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA9YaPiqV5El1tfyUT9XWf
tov28lznGlVdqmt/awc1YOPSmygdVENMvBu9xk8ogUMNGVsDbByS4LTNLG3bhfRz
4ZfgaPMyLY4d305QTldlWh+g+vEV6Vwy7RtHx60qQFRbrW7/odX2tNiU9F2J0vmB
tYfBKTXzB/c7WIHyBQ6k3x6W49622l30roB4rSqXx/bKHnTiyFpXK8jjIkzemXhQ
imW2p9oJJz55y+QXyzLmRj1ugeOr7wluJ7AGRk+94qRBgGvyDXu3qsyvF9uKa/QR
blgDLc6C+lbdufsaSh2dkQzaHkHtCWcfyQsihOEpPGHNSfxHAYv3hWWgGTD+Guez
8wIDAQAB
-----END PUBLIC KEY-----
`;
const fingerprint = 'SHA256:jCzODOqztYPVmmcQtSzyn2aTLavmEY0j9kZtY+VWaCY';

test('the two forms of a public key are those of OpenSSH', () => {
  expect(toOpenSsh(pem)).toBe(line);
  expect(fingerprintOf(line)).toBe(fingerprint);
  expect(fingerprintOf(pem)).toBe(fingerprint);
  expect(fingerprintOf(`\n${line} someone@example \n`)).toBe(fingerprint);
});

test.each(['', 'hello', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5', 'ssh-rsa !!', `x ${line}`])(
  '"%s" is no key',
  (text) => {
    expect(fingerprintOf(text)).toBeUndefined();
  },
);

test('a pair is RSA of at least 3072 bits, and its three texts belong together', async () => {
  const pair = await makeKeyPair();
  expect(createPrivateKey(pair.privateKey).asymmetricKeyDetails?.modulusLength).toBe(3072);
  const derived = createPublicKey(pair.privateKey).export({ type: 'spki', format: 'pem' });
  expect(derived).toBe(pair.publicKeyPem);
  expect(fingerprintOf(pair.publicKey)).toBe(fingerprintOf(pair.publicKeyPem));
  expect(pair.publicKey).toMatch(/^ssh-rsa AAAA\S+$/);
});

test('a pool never gives a pair twice, also to many who ask at once', async () => {
  const pool = createKeyPool(1);
  const taken = await Promise.all([pool.take(), pool.take(), pool.take()]);
  expect(new Set(taken.map(({ publicKey }) => publicKey)).size).toBe(3);
});
