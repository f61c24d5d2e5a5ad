import { readFile } from 'node:fs/promises';
import path from 'node:path';
import JSON5 from 'json5';
import { parse as parseYaml } from 'yaml';
import { Failure } from '../domain/failure.ts';
import { isJsonObject, type JsonObject } from '../lib/deep-merge.ts';

/** An object of a file, out of its wrapper, under the name that it has or that its file gives it. */
export interface NamedObject {
  readonly file: string;
  readonly name: string;
  readonly object: JsonObject;
}

/**
 * A model or product file: JSON5 or, by its ending, YAML; wrapped or bare.
 * @throws Failure `invalid` that names the file and, where the text is at fault, the place in it
 */
export async function readObject(file: string, kind: 'model' | 'product'): Promise<NamedObject> {
  const text = await readText(file);
  const whole = parse(file, text);
  if (!isJsonObject(whole)) throw new Failure('invalid', `${file}: it must hold one object.`);
  const wrapped = whole[kind];
  const bare = isJsonObject(wrapped) ? wrapped : whole;
  const field = `${kind}_name`;
  const given = bare[field];
  const name = typeof given === 'string' ? given : path.basename(file, path.extname(file));
  return { file, name, object: { ...bare, [field]: given ?? name } };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new Failure('invalid', `${file}: it cannot be read (${code}).`, { cause: error });
  }
}

function parse(file: string, text: string): unknown {
  try {
    return /\.ya?ml$/i.test(file) ? (parseYaml(text) as unknown) : (JSON5.parse(text) as unknown);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Failure('invalid', `${file}: ${reason}`, { cause: error });
  }
}
