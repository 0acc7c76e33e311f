/** Read what people type or paste where conda's packages and channels are asked for. The server decides what a match spec is; this only cuts. */
import type { TranslationBundle } from '@jupyterlab/translation';

export interface ISpecs {
  specs: string[];
  /** Channels that a pasted command line names. */
  channels: string[];
}

/** The words of a line; blanks within quotation marks and brackets do not part them. */
function words(line: string): string[] {
  const found: string[] = [];
  let word = '';
  let mark = '';
  let depth = 0;
  for (const char of line) {
    if (mark) {
      mark = char === mark ? '' : mark;
    } else if (char === '"' || char === "'") {
      mark = char;
    } else if (char === '[' || char === '(') {
      depth++;
    } else if (char === ']' || char === ')') {
      depth = Math.max(0, depth - 1);
    } else if (depth === 0 && /\s/.test(char)) {
      found.push(word);
      word = '';
      continue;
    }
    word += char;
  }
  return [...found, word].filter(Boolean);
}

const COMMAND = /^(?:[$>%!]\s*)?(?:conda|mamba|micromamba)\s+(?:install|create)\s+/;
const SAYS_YES = new Set(['-y', '--yes', '-q', '--quiet']);

/** Tell whether a word goes on with the spec before it: a version after a name, a build after a version. */
function goesOn(word: string, before: string): boolean {
  // what pip is asked for in an environment of conda
  if (before === 'pip:') {
    return true;
  }
  if (/^[<>=!~*\d|,]/.test(word) || /[<>=!~|]$/.test(before)) {
    return true;
  }
  return /\s/.test(before) && !/,$/.test(before) && /\*|_\d+$/.test(word);
}

/**
 * Cut text into match specs: `numpy >=1.26,<2 pandas` is two, and so is a list with dashes.
 *
 * Comments go; of a command line (`conda install -c bioconda samtools`) its channels are kept apart.
 */
export function splitSpecs(text: string): ISpecs {
  const specs: string[] = [];
  const channels: string[] = [];
  for (const raw of text.split(/[\r\n]+/)) {
    const line = raw
      .replace(/(^|\s)#.*$/, '')
      .replace(/^\s*-\s+/, '')
      .trim()
      .replace(COMMAND, '')
      .replace(/\\$/, '');
    const found: string[] = [];
    const parts = words(line).flatMap(word => (/^[A-Za-z_][\w.-]*(,[A-Za-z_][\w.-]*)+,?$/.test(word) ? word.split(',') : [word]));
    for (let at = 0; at < parts.length; at++) {
      const whole = /^(['"])(.*)\1$/.exec(parts[at]);
      const word = whole ? whole[2] : parts[at];
      const last = found.length - 1;
      const channel = /^(?:-c|--channel)(?:=(.+))?$/.exec(word);
      if (channel) {
        channels.push(channel[1] ?? parts[++at] ?? '');
      } else if (!SAYS_YES.has(word)) {
        if (!whole && last >= 0 && !found[last].startsWith('-') && goesOn(word, found[last])) {
          found[last] += /,$/.test(found[last]) ? word : ` ${word}`;
        } else {
          found.push(word);
        }
      }
    }
    specs.push(...found.map(each => each.replace(/,+$/, '').trim()));
  }
  const once = (all: string[]): string[] => [...new Set(all.filter(Boolean))];
  return { specs: once(specs), channels: once(channels) };
}

/** Tell whether a comma after *typed* ends it; after a version it belongs to that. */
export function commaEnds(typed: string): boolean {
  return /^\s*(?:\S+::)?[A-Za-z_][\w.-]*\s*$/.test(typed);
}

/** Cut text into channels; none of them has blanks or commas. */
export function splitChannels(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(word => word && word !== '-'))];
}

/** Why a channel can not be sent; empty if it can. Credentials would stand in records and caches that others read. */
export function checkChannel(channel: string, trans: TranslationBundle): string {
  const address = channel.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\//, '');
  const named = address !== channel;
  let decoded = address;
  try {
    decoded = decodeURIComponent(address);
  } catch {
    // what can not be decoded is looked at as it stands
  }
  if (!/^[/~.]/.test(address) && ((named && /^[^/]*@|\?/.test(decoded)) || /(^|\/)t\/[^/]/.test(decoded))) {
    return trans.__('A channel must hold no password or token: others could read it. Put credentials into ~/.netrc, or where your site keeps them.');
  }
  return channel.startsWith('-') ? trans.__('“%1” is an option, not a channel.', channel) : '';
}

/** The short name of a channel: the end of its address, which people know it by. */
export function channelName(channel: string): string {
  const path = channel.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/, '').replace(/\/+$/, '');
  const steps = path.split('/').filter(Boolean);
  const last = steps[steps.length - 1] ?? '';
  // channels of one host may have labels: conda-forge/label/dev
  const label = steps.lastIndexOf('label');
  return label > 0 ? steps.slice(label - 1).join('/') : last || channel;
}
