/** The result of a command: an object for programs where `--json` was given, else text for people. */
export function print(json: boolean | undefined, object: unknown, text: string): void {
  process.stdout.write(`${json === true ? JSON.stringify(object) : text}\n`);
}
