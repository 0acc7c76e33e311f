/** Write figures as people of the page's language read them: SI bytes, rounded durations, dates. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** The language of the page where the browser knows it, else the browser's own. */
function locale(): string | undefined {
  const lang = document.documentElement.lang;
  try {
    return lang ? Intl.getCanonicalLocales(lang.replace('_', '-'))[0] : undefined;
  } catch {
    return undefined;
  }
}

export function count(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

export function compact(value: number): string {
  return value < 100_000
    ? count(value)
    : new Intl.NumberFormat(locale(), { notation: 'compact', maximumSignificantDigits: 3 }).format(value);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(value: number): string {
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value)} ${UNITS[unit]}`;
}

/** Two figures in the unit of the larger one: `82.5` and `271 GB`. */
export function bytesPair(part: number, whole: number): [string, string] {
  const total = bytes(whole);
  const power = UNITS.indexOf(total.split(/\s/).pop() ?? 'B');
  const scaled = part / 1000 ** Math.max(0, power);
  const number = new Intl.NumberFormat(locale(), { maximumFractionDigits: scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2 }).format(scaled);
  return [number, total];
}

/** `under 0.1 s`, `0.4 s`, `12 s`, `3 min 5 s`, `1 h 2 min`. */
export function seconds(value: number, trans: TranslationBundle): string {
  if (value > 0 && value < 0.05) {
    return trans.__('under %1 s', new Intl.NumberFormat(locale()).format(0.1));
  }
  if (value < 9.95) {
    return trans.__('%1 s', new Intl.NumberFormat(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value));
  }
  const whole = Math.round(value);
  if (whole < 60) {
    return trans.__('%1 s', whole);
  }
  if (whole < 3600) {
    return trans.__('%1 min %2 s', Math.floor(whole / 60), whole % 60);
  }
  return trans.__('%1 h %2 min', Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}

/** The time of day if it was today, else the day as well; empty for an unreadable time. */
export function moment(iso: string | Date): string {
  const date = iso instanceof Date ? iso : new Date(iso);
  if (Number.isNaN(date.getTime())) {
    return '';
  }
  const today = date.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale(), today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}

/** `3.12` of `3.12.11`: what a row shows. */
export function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Characters that change the direction of text, or are not text at all, made visible. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
