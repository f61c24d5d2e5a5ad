import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { Failure } from '../domain/failure.ts';

const help = { type: 'boolean', short: 'h' } as const;

/**
 * The options of `npm run <command> -- …`, and `help` with them.
 * @throws Failure `config_invalid` for one that it does not have
 */
export function readOptions<T extends ParseArgsOptionsConfig>(
  command: string,
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options: { ...options, help } }).values;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const message = `${said}\nnpm run ${command} -- --help lists the options.`;
    throw new Failure('config_invalid', message);
  }
}
