/** What the demo prints: steps, sentences, one line that moves, and a table. Plain text, no colours. */
export interface Screen {
  /** The heading of a step, numbered. */
  step(title: string): void;
  say(sentence: string): void;
  /** On a terminal the line is drawn anew; elsewhere a new line comes every few seconds. */
  progress(text: string): void;
  /** Ends the moving line and leaves its last text standing. */
  settle(text: string): void;
  table(rows: readonly (readonly string[])[]): void;
}

/** How often the moving line is drawn anew, and how often a new line comes where nothing can move. */
const redrawMs = 100;
const quietMs = 3000;
const clearLine = '\r\x1b[2K';

export function createScreen(out: NodeJS.WriteStream, startedAtMs: number): Screen {
  let steps = 0;
  let moving = false;
  let printedAtMs = 0;
  const leave = () => {
    if (moving && out.isTTY) out.write(clearLine);
    moving = false;
  };
  return {
    step: (title) => {
      leave();
      steps += 1;
      const seconds = Math.round((Date.now() - startedAtMs) / 1000);
      out.write(`\n${steps}. ${title}  [${seconds} s]\n`);
    },
    say: (sentence) => {
      leave();
      out.write(`   ${sentence}\n`);
    },
    progress: (text) => {
      if (Date.now() - printedAtMs < (out.isTTY ? redrawMs : quietMs)) return;
      printedAtMs = Date.now();
      moving = true;
      // One column less than the window, or the terminal would begin a second line.
      if (out.isTTY) out.write(`${clearLine}${`   ${text}`.slice(0, (out.columns || 80) - 1)}`);
      else out.write(`   ${text}\n`);
    },
    settle: (text) => {
      out.write(`${out.isTTY && moving ? clearLine : ''}   ${text}\n`);
      moving = false;
    },
    table: (rows) => {
      leave();
      out.write(`\n${formatTable(rows)}\n`);
    },
  };
}

/** Columns as wide as their widest cell; the first is set to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.map((line) => `   ${line}`).join('\n');
}

const counting = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 1234567 as `1,234,567`. */
export function formatCount(count: number): string {
  return counting.format(count);
}

export function formatSeconds(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}
