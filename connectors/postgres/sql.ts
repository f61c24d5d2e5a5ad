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
  pin({
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    timezone: 'UTC',
    extra_float_digits: '3',
    bytea_output: 'hex',
    xmloption: 'content',
    array_nulls: 'on',
    quote_all_identifiers: 'off',
    standard_conforming_strings: 'on',
    client_encoding: 'UTF8',
    statement_timeout: '0',
    idle_in_transaction_session_timeout: '30s',
  }),
  // Older servers do not know it: the condition is looked at before anything is set.
  `${pin({ transaction_timeout: '0' })} where pg_catalog.current_setting('server_version_num')::pg_catalog.int4
    operator(pg_catalog.>=) 170000`,
].join('; ');

/** As one statement: it is part of every transaction. */
function pin(settings: Readonly<Record<string, string>>): string {
  const calls = Object.entries(settings).map(
    ([name, value]) => `pg_catalog.set_config('${name}', '${value}', true)`,
  );
  return /*sql*/ `select ${calls.join(', ')}`;
}

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
