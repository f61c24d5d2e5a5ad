import type { ErrorCode } from './failure.ts';

/** A public code for people: what happened, whose turn it is, what ends it. Shown at `/docs/errors`. */
export interface Explanation {
  readonly cause: string;
  readonly blame: string;
  readonly remedy: string;
}

const bySide = 'the vendor for a source, the customer for a destination';

export const explanations: Readonly<Record<ErrorCode, Explanation>> = {
  AUTH: {
    cause: 'The database knows neither this user nor this password, or lets nobody in that way.',
    blame: bySide,
    remedy: 'Correct user and password, then test the connection. A user may also lack LOGIN.',
  },
  HOST: {
    cause: 'The host name does not resolve, or is no name that Waybill may look up.',
    blame: bySide,
    remedy: 'Write the full name of the host, as it is known outside of its own network.',
  },
  CONN: {
    cause:
      'The host does not answer at that port, the connection broke, or the address is one that the operator has not opened.',
    blame: bySide,
    remedy:
      'Check that the server is up, that its firewall lets Waybill in, and host and port. Private addresses are opened by the operator.',
  },
  TLSX: {
    cause:
      'The server offers no TLS, or its certificate is not of an authority that Waybill believes.',
    blame: bySide,
    remedy:
      'Give the authority as ssl_ca, or set ssl_mode to require to believe any certificate. In a trusted network, disable_ssl.',
  },
  SSHX: {
    cause:
      'The bastion refused the login or the way on, or showed another host key than the first time.',
    blame: bySide,
    remedy:
      'Add the public key that the message shows to authorized_keys of the bastion. Where its host key was changed on purpose, the operator forgets the old one.',
  },
  PERM: {
    cause: 'The login works and lacks a right, for instance to read a table or to make one.',
    blame: bySide,
    remedy: 'Run the GRANT that the message or the failed check names.',
  },
  MISS: {
    cause: 'A database, schema or table that has to be there is not.',
    blame: bySide,
    remedy:
      'Correct the name. Where a table was dropped at a destination, a full refresh makes it again.',
  },
  BUSY: {
    cause: 'The other end was short of connections, waited for a lock, or gave up on a conflict.',
    blame: 'nobody, unless it lasts; then the owner of that end',
    remedy: 'Nothing at first: Waybill tries again. If it lasts, look for long locks and limits.',
  },
  QUOT: {
    cause: 'The disk or the quota of the other end is used up.',
    blame: bySide,
    remedy: 'Make room there. The transfer goes on by itself where it still tries.',
  },
  TYPE: {
    cause:
      'A value does not fit the type that the model declares, or the destination cannot hold it.',
    blame: 'the vendor',
    remedy: 'Declare a wider type for the column, or correct the value at the source.',
  },
  KEYS: {
    cause: 'A key column is null, or two rows of one recipient have the same key.',
    blame: 'the vendor',
    remedy: 'Choose key columns that are unique and never null within a recipient.',
  },
  LMOD: {
    cause: 'The last-modified column has a value that cannot be ordered or compared.',
    blame: 'the vendor',
    remedy: 'Use a timestamp or date column that is set with every change of a row.',
  },
  QRYX: {
    cause: 'The source refused the query of the model, or its table is not as the model says.',
    blame: 'the vendor',
    remedy: 'Validate the model against its source; each violation names its column.',
  },
  SCHM: {
    cause:
      'A table at the destination was changed by hand, belongs to somebody else, or refuses rows by a rule of its own.',
    blame: 'the customer',
    remedy: 'Change it back, or move the table out of the way and ask for a full refresh.',
  },
  EVOL: {
    cause: 'The model was changed in a way that is not an addition.',
    blame: 'the vendor',
    remedy: 'Add a column under a new name, or a model under a new name.',
  },
  CONF: {
    cause: 'A field, a model or a setting is not valid; the message names it.',
    blame: 'the vendor, or whoever runs Waybill where a setting is named',
    remedy: 'Correct what is named and send it again.',
  },
  LIMT: {
    cause: 'Something is larger than a limit allows.',
    blame: 'whoever runs Waybill',
    remedy: 'Send less, or raise the limit where it is a setting: docs/limits.md.',
  },
  TIME: {
    cause: 'Nothing could be committed for minutes.',
    blame: 'whoever runs Waybill',
    remedy: 'Look for locks at the destination and for a slow plan of the query at the source.',
  },
  EXPD: {
    cause: 'The transfer waited for its turn longer than the installation allows.',
    blame: 'whoever runs Waybill',
    remedy: 'Add workers or raise the caps on concurrency, then start the transfer again.',
  },
  ORPH: {
    cause: 'The workflow of the transfer is gone and reported no end.',
    blame: 'whoever runs Waybill',
    remedy:
      'Start the transfer again: it goes on after what was committed. Look at Temporal where it happens twice.',
  },
  CANC: {
    cause: 'Somebody cancelled it, or its destination was disabled or deleted.',
    blame: 'whoever did so, as the log of the transfer says',
    remedy: 'Start another transfer when the rows are wanted.',
  },
  INTL: {
    cause: 'Waybill itself failed, or something that it needs was away.',
    blame: 'whoever runs Waybill',
    remedy: 'Try again; report it with the request or transfer id where it happens twice.',
  },
  UNKN: {
    cause: 'A driver failed in a way that Waybill has no name for.',
    blame: 'not known',
    remedy: 'Report the code in the trace. What the driver said goes to sensitive-trace endpoints.',
  },
};
