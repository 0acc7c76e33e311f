/** Recognise the files by which conda's tools describe an environment. The server reads them; this only looks. */
import type { TranslationBundle } from '@jupyterlab/translation';

export type FileKind = 'environment' | 'explicit' | 'pixi' | 'conda-lock';

/** Which file of conda's a text is; undefined for any other. */
export function fileKind(text: string): FileKind | undefined {
  if (/^\s*@EXPLICIT\s*$/m.test(text)) {
    return 'explicit';
  }
  const has = (key: string): boolean => new RegExp(`^["']?${key}["']?\\s*:`, 'm').test(text);
  if (has('environments') && has('packages')) {
    return 'pixi';
  }
  if (has('package')) {
    return 'conda-lock';
  }
  return has('dependencies') || has('channels') ? 'environment' : undefined;
}

/** Whether a file of that name may describe an environment; what is in it decides once it is read. */
export function mayDescribe(name: string): boolean {
  return /^(.*requirements.*|constraints)\.(txt|in)$|\.ya?ml$|\.lock$|^pyproject\.toml$|^pylock(\..+)?\.toml$|^Pipfile$|^explicit.*\.txt$|capsule.*\.json$/i.test(name);
}

/** What such a file is usually called. */
export const FILE_NAMES: Record<FileKind, string> = {
  environment: 'environment.yml',
  explicit: 'explicit.txt',
  pixi: 'pixi.lock',
  'conda-lock': 'conda-lock.yml'
};

export function kindWord(kind: FileKind, trans: TranslationBundle): string {
  return {
    environment: trans.__('An environment.yml: what it asks for is solved anew.'),
    explicit: trans.__('An explicit list: exactly these packages, without solving.'),
    pixi: trans.__('A lockfile of pixi or rattler: exactly its packages, without solving.'),
    'conda-lock': trans.__('A lockfile of conda-lock: exactly its packages, without solving.')
  }[kind];
}

/** The name that an environment.yml gives; empty where it gives none that could be taken. */
export function nameIn(text: string): string {
  if (fileKind(text) !== 'environment') {
    return '';
  }
  const match = /^name[ \t]*:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#"'][^\s#]*))[ \t]*(?:#.*)?\r?$/m.exec(text);
  const name = match?.[1] ?? match?.[2] ?? match?.[3] ?? '';
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name) ? name : '';
}
