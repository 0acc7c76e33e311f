/** The form as a command: always valid, so that it can be put into a script. */
import type { ICreateRequest } from '../tokens';
import { FILE_NAMES, fileKind } from './described';

/** One word of a POSIX shell. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+:,./=-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}

const WIDTH = 44;

/** `jupyter hpcenv create …`, or `clone …`, broken at about 44 columns. A pasted file stands under its usual name. */
export function shellCommand(request: ICreateRequest): string {
  const words = [quote(request.name || 'NAME')];
  words.push(...(request.packages ?? []).map(quote));
  const option = (name: string, value?: string): void => {
    if (value) {
      words.push(`--${name} ${quote(value)}`);
    }
  };
  option('manager', request.manager);
  option('file', request.requirements ? 'requirements.txt' : request.file ? FILE_NAMES[fileKind(request.file) ?? 'environment'] : '');
  option('python', request.python);
  (request.channels ?? []).forEach(channel => option('channel', channel));
  for (const [name, version] of Object.entries(request.virtual_packages ?? {})) {
    words.push(`--virtual-package ${quote(`${name}=${version}`)}`);
  }
  (request.modules ?? []).forEach(module => option('module', module));
  option('collection', request.collection);
  option('location', request.location);
  option('installer', request.installer);
  if (typeof request.system_site_packages === 'boolean') {
    words.push(request.system_site_packages ? '--system-site-packages' : '--no-system-site-packages');
  }
  for (const [name, value] of Object.entries(request.variables ?? {})) {
    words.push(`--var ${quote(`${name}=${value}`)}`);
  }
  for (const [name, value] of Object.entries(request.build_variables ?? {})) {
    words.push(`--build-var ${quote(`${name}=${value}`)}`);
  }
  option('display-name', request.display_name);
  if (request.kernel === false) {
    words.push('--no-kernel');
  }
  option('profile', request.profile);
  option('on', request.on?.partition);
  option('constraint', request.on?.constraint);
  option('account', request.on?.account);
  option('qos', request.on?.qos);
  option('time', request.on?.time);
  option('cpus', request.on?.cpus ? String(request.on.cpus) : '');
  option('memory', request.on?.memory);
  const head = request.clone_of ? `jupyter hpcenv clone ${quote(request.clone_of)}` : 'jupyter hpcenv create';
  return broken(`${head} ${words[0]}`, words.slice(1));
}

/** A command over several lines: its *head* stands on the first, packages share lines, each option has its own. */
export function broken(head: string, words: string[]): string {
  const lines = [head];
  for (const word of words) {
    const last = lines.length - 1;
    if (last > 0 && !word.startsWith('--') && lines[last].length + word.length < WIDTH) {
      lines[last] += ` ${word}`;
    } else {
      lines.push(`  ${word}`);
    }
  }
  return lines.join(' \\\n');
}

/** The same as a request of the REST interface. */
export function restRequest(request: object, path = 'environments'): string {
  return `POST hpcenv/${path}\nContent-Type: application/json\n\n${JSON.stringify(request, null, 2)}`;
}
