/** Where a block names one of our public keys, and where a connector then finds the private half. */
export const keyPlaces = [
  { object: 'ssh_tunnel', publicKey: 'ssh_public_key', privateKey: 'ssh_private_key' },
  { object: 'public_key_auth', publicKey: 'public_key', privateKey: 'private_key' },
] as const;
