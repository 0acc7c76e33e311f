/** The words of the REST interface for what people ask of an environment afterwards. */
import type { IPlan } from './tokens';

/** Something that was done to an environment. */
export interface IEvent {
  at: string;
  user: string;
  host: string;
  /** A word of the server; one that this panel does not know stands as it is. */
  verb: string;
  detail: string;
  operation: string;
  /** `+ NAME VERSION` came, `~ NAME OLD → NEW` changed, `- NAME VERSION` went. */
  packages: string[];
}

/** What was done last that can be undone. */
export interface IUndo {
  /** Empty: nothing can be undone, and the sentence says why. */
  what: 'delete' | 'change' | '';
  at: string;
  user: string;
  sentence: string;
  until: string;
  plan?: Partial<IPlan>;
}

/** Where an installer keeps packages that it has fetched. */
export interface ICache {
  name: string;
  path: string;
  /** Null until it was measured, as below. */
  bytes: number | null;
  files: number | null;
  measured: string;
  measuring: boolean;
  on_home: boolean;
  notes: string[];
  /** Ids of environments that would break without it. */
  used_by: string[];
  cleanable: boolean;
  /** Why it can not be cleaned, or only in part. */
  reason: string;
}

/** What went of a cache, or would go. */
export interface ICleaned {
  name: string;
  path: string;
  bytes: number;
  files: number;
  /** False: it was left, or would be. */
  done: boolean;
  reason: string;
}

/** How large an environment is; null until it was measured. */
export interface ISize {
  /** Its id. */
  environment: string;
  name: string;
  location: string;
  /** What deleting it would free. */
  bytes: number | null;
  files: number | null;
  /** What a cache of packages or another environment holds as well. */
  shared_bytes: number;
  /** It is being measured now: ask again. */
  measuring: boolean;
  /** Why it could not be measured; empty otherwise. */
  message: string;
}

/** Something that is wrong with an environment or an account. */
export interface IFinding {
  code: string;
  message: string;
  /** What that breaks. */
  breaks: string;
  severity: 'broken' | 'risk';
  environment: string;
  path: string;
  fix: '' | 'rebuild' | 'refresh' | 'put_aside';
  /** What the fix does, or why there is none. */
  advice: string;
}

/** An environment as a file by which others make it again. */
export interface IExported {
  format: string;
  text: string;
  /** What is not in it, a sentence each. */
  notes: string[];
  /** As what this environment can be written. */
  formats: string[];
}

/** Where a package can be had; without a version: who could not be asked, and why. */
export interface IHit {
  name: string;
  version: string;
  /** How many versions there are. */
  versions: number;
  summary: string;
  /** “module NAME/VERSION”, “index …”, “channel …”, “folder …”. */
  source: string;
  /** The version in the environment; empty where it is not. */
  installed: string;
  size: number | null;
  note: string;
}
