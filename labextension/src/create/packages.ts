/** Read what people type or paste into the packages field. The server decides what a requirement is; this only cuts. */

/**
 * Cut text into requirements: at line ends, at commas and blanks that begin another name.
 *
 * `numpy>=1.26,<2 pandas, dask[array,distributed]` is three. Comments go; what a command line
 * brought along (`pip install …`) goes too.
 */
export function splitPackages(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split(/[\r\n]+/)) {
    const bare = line
      .replace(/(^|\s)#.*$/, '')
      .replace(/^\s*(?:[$>%!]\s*)?(?:python\S*\s+-m\s+)?(?:uv\s+)?pip\d?\s+install\s+/, '')
      .replace(/\\\s*$/, '')
      .trim();
    for (const part of splitLine(bare)) {
      const clean = part.trim().replace(/^(['"])(.*)\1$/, '$2').trim();
      if (clean && !found.includes(clean)) {
        found.push(clean);
      }
    }
  }
  return found;
}

function splitLine(line: string): string[] {
  if (line.startsWith('-') || line.includes(' @ ') || line.includes(';')) {
    return [line];
  }
  const parts: string[] = [''];
  let depth = 0;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    depth += char === '[' || char === '(' ? 1 : char === ']' || char === ')' ? -1 : 0;
    if (depth <= 0 && (char === ',' || /\s/.test(char))) {
      const rest = line.slice(at).replace(/^[\s,]+/, '');
      const before = parts[parts.length - 1].trimEnd();
      // a name begins here unless an operator stands before, or an operator or bracket follows
      if (/^['"]?[A-Za-z0-9]/.test(rest) && before && !/[<>=!~,]$/.test(before)) {
        parts.push('');
        at = line.length - rest.length - 1;
        continue;
      }
    }
    parts[parts.length - 1] += char;
  }
  return parts.map(part => part.replace(/[\s,]+$/, ''));
}

/** Why a chip can not be a requirement at all: it is an option. */
export function isOption(requirement: string): boolean {
  return requirement.startsWith('-');
}

/** A requirement or match spec cut where its name ends, with extras or a channel, so that the rest can be drawn more quietly. */
export function nameAndRest(requirement: string): [string, string] {
  const match = /^((?:\S+::)?[A-Za-z0-9_][A-Za-z0-9._-]*(?:\[[^\]]*\])?)\s*(.*)$/.exec(requirement);
  return match ? [match[1], match[2]] : [requirement, ''];
}
