import type { Violation } from './failure.ts';
import type { ModelColumn } from './model.ts';
import { reservedPrefixes, reservedWords } from './reserved-words.ts';
import { mayBeTenant, type DescribedColumn } from './source-rules.ts';

/** A model file in the making. What is left out nobody could guess. */
export interface ProposedModel {
  readonly model_name: string;
  readonly source_name: string;
  readonly source_table: string;
  readonly organization_column?: string;
  readonly columns: readonly ProposedColumn[];
}

type ProposedColumn = Pick<ModelColumn, 'name_in_source' | 'name_in_destination' | 'data_type'> &
  Partial<ModelColumn>;

/** A model with what has to be looked at before it is published, each with its path. */
export interface Proposal {
  readonly model: ProposedModel;
  readonly notes: readonly Violation[];
}

/** A table of a source, as its catalogue has it. */
export interface CataloguedTable {
  readonly sourceName: string;
  /** As a model names it. */
  readonly sourceTable: string;
  /** Its last part. */
  readonly table: string;
  readonly columns: readonly DescribedColumn[];
}

/** Columns that are set when a row changes, by the usual names, the surest first. */
const changedNames = [
  /^(last_?)?(updated|modified|changed)(_?(at|on|time|ts|date|timestamp))?$/i,
  /(updated|modified|changed|mtime|last_?update|sys_?start)/i,
];
const createdNames = /(created|inserted|added|occurred|event|logged)/i;

const tenantNames = [
  /^tenant(_?(id|uuid|key|code|ref))?$/i,
  /^(account|organi[sz]ation|org|workspace|company|customer|client|team|merchant)(_?(id|uuid|key|code|ref))?$/i,
  /(tenant|organi[sz]ation|account|workspace)/i,
];

/** A model of the table, as complete as a catalogue can make it. */
export function proposeModel(table: CataloguedTable): Proposal {
  const { clashing, columns } = apart(table);
  const key = columns
    .filter(({ keyPlace }) => keyPlace !== undefined)
    .toSorted((a, b) => (a.keyPlace ?? 0) - (b.keyPlace ?? 0));
  const tenant = likely(columns.filter(mayBeTenant), tenantNames);
  const changed = likelyChanged(columns.filter((column) => !key.includes(column)));
  const leading = [...key, ...(changed === undefined ? [] : [changed])];
  // The tenant is the same in every row of a destination, so nobody misses it there.
  const others = columns.filter((column) => !leading.includes(column) && column !== tenant);
  const described = [...leading, ...others];
  const names = new Names(table.table);
  const model = {
    model_name: names.modelName,
    source_name: table.sourceName,
    source_table: table.sourceTable,
    ...(tenant !== undefined && { organization_column: tenant.name }),
    columns: described.map((column) => ({
      name_in_source: column.name,
      name_in_destination: names.take(column.name),
      data_type: column.fits[0] ?? 'string',
      ...(key.includes(column) && { is_primary_key: true }),
      ...(column === changed && { is_last_modified: true }),
      ...(column.comment !== undefined && { description: column.comment }),
    })),
  };
  const notes = [
    ...clashing.map(({ name }) => clashNote(name)),
    ...roleNotes({ key, tenant, changed }),
    ...columnNotes(model, described),
  ];
  return { model, notes };
}

/** A column that is named like its table cannot be shared under that name (M10). */
function apart({ table, columns }: CataloguedTable) {
  const isClash = ({ name }: DescribedColumn) => name.toLowerCase() === table.toLowerCase();
  return {
    clashing: columns.filter(isClash),
    columns: columns.filter((column) => !isClash(column)),
  };
}

function clashNote(name: string): Violation {
  const message = `Column ${name} is named like its table and is left out: a source_query can give it another name.`;
  return { path: 'model.columns', code: 'named_like_table', message };
}

function likely(
  columns: readonly DescribedColumn[],
  patterns: readonly RegExp[],
): DescribedColumn | undefined {
  for (const pattern of patterns) {
    const found = columns.find(({ name }) => pattern.test(name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function likelyChanged(columns: readonly DescribedColumn[]): DescribedColumn | undefined {
  const stamps = columns.filter(({ fits }) => fits[0] === 'timestamp');
  return likely(stamps, [...changedNames, createdNames]) ?? stamps[0];
}

interface Roles {
  readonly key: readonly DescribedColumn[];
  readonly tenant: DescribedColumn | undefined;
  readonly changed: DescribedColumn | undefined;
}

function roleNotes({ key, tenant, changed }: Roles): Violation[] {
  const note = (path: string, code: string, message: string): Violation => ({
    path,
    code,
    message,
  });
  const notes: Violation[] = [];
  if (key.length === 0) {
    const message =
      'The table has no unique key. Mark the columns that identify a row with is_primary_key.';
    notes.push(note('model.columns', 'no_key', message));
  }
  if (tenant === undefined) {
    const message =
      'No column looks like a tenant. Name the one that says whose row it is, or read a query.';
    notes.push(note('model.organization_column', 'no_tenant', message));
  } else {
    const message = `Check that ${tenant.name} (${tenant.type}) says whose row it is, as id_in_provider_system has it.`;
    notes.push(note('model.organization_column', 'likely_tenant', message));
  }
  if (changed === undefined) {
    const message =
      'No column is a timestamp. Add one that is set whenever a row changes, with is_last_modified.';
    notes.push(note('model.columns', 'no_last_modified', message));
  }
  return notes;
}

function columnNotes(
  { columns }: ProposedModel,
  described: readonly DescribedColumn[],
): Violation[] {
  return columns.flatMap((column, index) => {
    const path = `model.columns[${index}]`;
    const { type = '', nullable = false } = described[index] ?? {};
    const sentences = [
      type,
      ...(column.name_in_source === column.name_in_destination ? [] : ['renamed: check the name']),
      ...(column.is_last_modified === true ? [lastModifiedNote(column.name_in_source)] : []),
      ...(nullable && (column.is_primary_key === true || column.is_last_modified === true)
        ? ['may be null at the source: such rows cannot be moved']
        : []),
    ];
    return [{ path, code: 'check', message: sentences.join('; ') }];
  });
}

function lastModifiedNote(name: string): string {
  return changedNames.some((pattern) => pattern.test(name))
    ? 'check that it is set whenever a row changes'
    : 'its name does not say so: check that it is set whenever a row changes, or set is_append_only';
}

/** Names at a destination, each once, none of them one that the rules refuse. */
class Names {
  readonly modelName: string;
  private readonly taken: Set<string>;

  constructor(table: string) {
    const plain = plainName(table);
    this.modelName = /^_(transfer_status|manifests|waybill_)/i.test(plain) ? `t${plain}` : plain;
    this.taken = new Set([table.toLowerCase(), this.modelName.toLowerCase()]);
  }

  take(name: string): string {
    const plain = allowedName(plainName(name));
    let free = plain;
    for (let n = 2; this.taken.has(free.toLowerCase()); n++) free = `${plain.slice(0, 59)}_${n}`;
    this.taken.add(free.toLowerCase());
    return free;
  }
}

function plainName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]+/g, '_').slice(0, 63);
  return /^[A-Za-z_]/.test(plain) ? plain : `c_${plain}`.slice(0, 63);
}

function allowedName(name: string): string {
  const lower = name.toLowerCase();
  if (reservedWords.has(lower)) return `${name}_value`;
  return reservedPrefixes.some((prefix) => lower.startsWith(prefix))
    ? `c${name}`.slice(0, 63)
    : name;
}
