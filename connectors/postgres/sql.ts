import { escapeIdentifier, escapeLiteral } from 'pg';

/** An identifier as it may stand in a statement. */
export const quote = escapeIdentifier;

/** Text as a literal: for names and bodies that no parameter can carry, never for a row's value. */
export const literal = escapeLiteral;

/** Identifiers with commas between them. */
export function quoteAll(names: readonly string[]): string {
  return names.map(quote).join(', ');
}

/** `"schema"."table"`. */
export function qualified(schema: string, table: string): string {
  return `${quote(schema)}.${quote(table)}`;
}

/**
 * What both ends pin in every transaction, so that the same text means the same value whatever the
 * server, the database or the role has set, and so that whoever dies or freezes between two messages
 * gives up its locks after so long. Joined into one message with `begin`.
 */
export const pins = [
  `set local datestyle = 'ISO, YMD'`,
  `set local intervalstyle = 'postgres'`,
  `set local timezone = 'UTC'`,
  `set local extra_float_digits = 3`,
  `set local bytea_output = 'hex'`,
  `set local xmloption = 'content'`,
  `set local array_nulls = on`,
  `set local quote_all_identifiers = off`,
  `set local client_encoding = 'UTF8'`,
  `set local statement_timeout = 0`,
  `set local idle_in_transaction_session_timeout = '30s'`,
].join('; ');

/**
 * A transaction-local setting of ours, as text in the query. COPY takes no parameters, but it reads these.
 */
export function setting(name: string): string {
  return `pg_catalog.current_setting('waybill.${name}')`;
}

/** One statement that sets several of them, by parameters $1, $2, … in the order of the names. */
export function setSettings(names: readonly string[]): string {
  const calls = names.map(
    (name, index) => `pg_catalog.set_config('waybill.${name}', $${index + 1}, true)`,
  );
  return /*sql*/ `select ${calls.join(', ')}`;
}
