import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetRead,
  type AsyncBuffer,
} from 'hyparquet';
import { regionOf, readAirportStates } from './demo-regions.ts';

/** Rows in the file. */
export const flightsMax = 3_000_000;

/** The columns of the vendor's table, in the order of the COPY text below. */
export const flightColumns = [
  'id',
  'region',
  'departed_at',
  'delay',
  'distance',
  'origin',
  'target',
  'updated_at',
];

interface FlightBlock {
  readonly departedAtMs: readonly number[];
  readonly delay: readonly bigint[];
  readonly distance: readonly bigint[];
  readonly origin: readonly string[];
  readonly destination: readonly string[];
}

const dataFolder = new URL('../data/', import.meta.resolve('vega-datasets'));
const rowsPerChunk = 4096;
const milesPerMinute = 8;

/**
 * The first `rows` flights of three million real ones (USA, January to June 2001) as COPY text in
 * chunks of some hundred kilobytes. The key counts the rows. A row was last touched when its flight had
 * landed, to the second, so that many rows share a value. `onRows` is told how many have been taken.
 */
export async function* readFlights(
  rows: number,
  onRows: (rows: number) => void,
): AsyncGenerator<Buffer> {
  const states = readAirportStates(await readFile(new URL('airports.csv', dataFolder), 'utf8'));
  const file = await asyncBufferFromFile(fileURLToPath(new URL('flights-3m.parquet', dataFolder)));
  const { row_groups: groups } = await parquetMetadataAsync(file);
  let first = 0;
  for (const group of groups) {
    const last = Math.min(first + Number(group.num_rows), rows);
    if (last <= first) return;
    const block = await readBlock(file, first, first + Number(group.num_rows));
    for (let from = first; from < last; from += rowsPerChunk) {
      const upTo = Math.min(from + rowsPerChunk, last);
      yield Buffer.from(copyText(block, { first, from, upTo }, states));
      onRows(upTo);
    }
    first += Number(group.num_rows);
  }
}

async function readBlock(
  file: AsyncBuffer,
  rowStart: number,
  rowEnd: number,
): Promise<FlightBlock> {
  const columns = new Map<string, unknown[]>();
  await parquetRead({
    file,
    rowStart,
    rowEnd,
    compressors: {
      ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: length }),
    },
    parsers: { timestampFromMicroseconds: (micros) => Number(micros) / 1000 },
    onChunk: ({ columnName, columnData }) => {
      const known = columns.get(columnName) ?? [];
      columns.set(columnName, known.length === 0 ? [...columnData] : known.concat([...columnData]));
    },
  });
  // The file is a published one of fixed content: its columns have these types and hold no nulls.
  return {
    departedAtMs: columns.get('date') as number[],
    delay: columns.get('delay') as bigint[],
    distance: columns.get('distance') as bigint[],
    origin: columns.get('origin') as string[],
    destination: columns.get('destination') as string[],
  };
}

interface Slice {
  /** Number of the block's first row in the file. */
  readonly first: number;
  readonly from: number;
  readonly upTo: number;
}

function copyText(block: FlightBlock, slice: Slice, states: ReadonlyMap<string, string>): string {
  let text = '';
  for (let row = slice.from; row < slice.upTo; row += 1) {
    const at = row - slice.first;
    const departedAtMs = block.departedAtMs[at] ?? 0;
    const delay = Number(block.delay[at]);
    const distance = Number(block.distance[at]);
    const origin = block.origin[at] ?? '';
    const flightMs = Math.round((distance / milesPerMinute + delay) * 60) * 1000;
    const landedAtMs = departedAtMs + Math.max(flightMs, 0);
    text +=
      `${row + 1}\t${regionOf(states.get(origin))}\t${instantText(departedAtMs)}\t${delay}\t${distance}` +
      `\t${origin}\t${block.destination[at]}\t${instantText(landedAtMs)}\n`;
  }
  return text;
}

const dayMs = 86_400_000;
const days = new Map<number, string>();

/** As `toISOString`, which takes most of the time of the whole load without this table of days. */
function instantText(ms: number): string {
  const day = Math.floor(ms / dayMs);
  let date = days.get(day);
  if (date === undefined) {
    date = new Date(ms).toISOString().slice(0, 11);
    days.set(day, date);
  }
  const second = Math.floor((ms - day * dayMs) / 1000);
  return `${date}${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}Z`;
}

const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

function two(number: number): string {
  return twoDigits[number] ?? '';
}
