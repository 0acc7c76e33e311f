/** The log of an operation as data: read on by offset, searched, coloured. */
import { plain } from '../format';
import type { Api } from '../api';
import type { ILogLine } from '../tokens';

/** How many lines a page draws; the copy and the download have all. */
export const DRAWN = 5_000;

export class LogFollower {
  lines: ILogLine[] = [];
  complete = false;
  error: unknown = null;

  constructor(
    private api: Api,
    private id: string,
    private draw: () => void
  ) {}

  start(): void {
    this._stopped = false;
    void this.tick();
  }

  stop(): void {
    this._stopped = true;
    window.clearTimeout(this._timer);
  }

  /** Read what came since; again in half a second until the log is complete. */
  private async tick(): Promise<void> {
    let wait = 500;
    try {
      const part = await this.api.log(this.id, this._offset);
      if (this._stopped) {
        return;
      }
      const news = part.lines.length > 0 || part.complete !== this.complete || this.error !== null;
      this.error = null;
      this._offset = part.offset;
      this.complete = part.complete;
      if (part.lines.length > 0) {
        this.lines = this.lines.concat(part.lines);
        wait = 100;
      }
      if (news) {
        this.draw();
      }
    } catch (error) {
      if (this._stopped) {
        return;
      }
      this.error = error;
      wait = 3_000;
      this.draw();
    }
    if (!this.complete && !this._stopped) {
      this._timer = window.setTimeout(() => void this.tick(), wait);
    }
  }

  private _offset = 0;
  private _timer = 0;
  private _stopped = true;
}

export interface IRun {
  text: string;
  /** Class names of ours; colours are the theme's, never the program's. */
  style: string;
}

const COLOURS: Record<number, string> = { 1: 'r', 2: 'g', 3: 'y', 4: 'b', 5: 'b', 6: 'c' };
// SGR is kept; every other escape, OSC with its text included, is dropped
const ESCAPE = /\u001b(?:\[([0-9;]*)m|\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g;

/** Cut a line where its colours change. */
export function runs(line: string): IRun[] {
  const found: IRun[] = [];
  let style: string[] = [];
  let from = 0;
  const push = (text: string): void => {
    if (text) {
      found.push({ text: plain(text), style: style.map(name => `ansi-${name}`).join(' ') });
    }
  };
  for (const match of line.matchAll(ESCAPE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[1] !== undefined) {
      style = restyled(style, match[1]);
    }
  }
  push(line.slice(from));
  return found;
}

function restyled(style: string[], codes: string): string[] {
  for (const code of codes.split(';').map(Number)) {
    if (code === 0) {
      style = [];
    } else if (code === 1) {
      style = [...style.filter(name => name !== 'B'), 'B'];
    } else if (code === 2 || code === 90) {
      style = [...style.filter(name => name === 'B'), 'd'];
    } else if (code === 22) {
      style = style.filter(name => name !== 'B' && name !== 'd');
    } else if (code === 39) {
      style = style.filter(name => name === 'B');
    } else {
      const colour = COLOURS[code >= 90 ? code - 90 : code - 30];
      style = colour ? [...style.filter(name => name === 'B'), colour] : style;
    }
  }
  return style;
}

/** A line as plain text, for searching, copying and downloading. */
export function bare(line: string): string {
  return runs(line)
    .map(run => run.text)
    .join('');
}

/** The whole log as text, one line each, times in front. */
export function asText(lines: ILogLine[]): string {
  return lines.map(line => `${line.at.toFixed(2).padStart(8)}  ${bare(line.text)}\n`).join('');
}

export interface IHit {
  line: number;
  start: number;
}

/** Where *query* occurs, ignoring case; overlapping hits count once. */
export function hits(lines: string[], query: string): IHit[] {
  const found: IHit[] = [];
  const wanted = query.toLowerCase();
  if (!wanted) {
    return found;
  }
  lines.forEach((text, line) => {
    const folded = text.toLowerCase();
    for (let start = folded.indexOf(wanted); start >= 0; start = folded.indexOf(wanted, start + wanted.length)) {
      found.push({ line, start });
    }
  });
  return found;
}
