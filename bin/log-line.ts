const levels: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

const roleWidth = 8;
const levelWidth = 5;
const notShown = new Set(['level', 'time', 'pid', 'hostname', 'role', 'msg', 'err', 'v']);

/** A line that a child printed, for people: `12:00:01 worker   info  copied  rows=100`. */
export function renderLogLine(role: string, line: string): string {
  const entry = parseEntry(line);
  if (entry === undefined) return `${' '.repeat(8)} ${role.padEnd(roleWidth)} ${line}`;
  const time = new Date(Number(entry['time'])).toTimeString().slice(0, 8);
  const level = levels[Number(entry['level'])] ?? String(entry['level']);
  const fields = Object.entries(entry)
    .filter(([name]) => !notShown.has(name))
    .map(([name, value]) => `  ${name}=${renderValue(value)}`);
  const head = [time, role.padEnd(roleWidth), level.padEnd(levelWidth), textOf(entry['msg'])];
  return `${head.join(' ')}${fields.join('')}${renderError(entry['err'])}`;
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    return 'time' in entry && 'level' in entry ? entry : undefined;
  } catch {
    return undefined;
  }
}

function textOf(message: unknown): string {
  return typeof message === 'string' ? message : '';
}

function renderValue(value: unknown): string {
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}

function renderError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { message, stack } = error as { message?: unknown; stack?: unknown };
  const text = typeof stack === 'string' ? stack : String(message);
  return text
    .split('\n')
    .map((line) => `\n${' '.repeat(roleWidth + 10)}${line.trim()}`)
    .join('');
}
