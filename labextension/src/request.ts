/** One request to our part of the server, and the one error that every caller sees. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { plain } from './format';
import type { IErrorBody } from './tokens';

/** What the server refused, or that it could not be reached (`status` 0, `code` "no_connection"). */
export class HpcEnvError extends Error implements IErrorBody {
  readonly code: string;
  readonly reason: string;
  readonly hints: string[];
  /** True when nobody of ours answered, so that trying again may help: no one at all, or something between us and the server. */
  readonly offline: boolean;

  constructor(
    body: Partial<IErrorBody>,
    readonly status: number
  ) {
    super(body.message || 'The server gave no reason.');
    this.name = 'HpcEnvError';
    this.code = body.code || 'error';
    this.reason = body.reason ?? '';
    this.hints = Array.isArray(body.hints) ? body.hints.map(String) : [];
    // what our part of the server refuses has a code, also where it is out of service: its own words are better
    this.offline = status === 0 || ([502, 503, 504].includes(status) && !body.code);
  }
}

/** Make an `HpcEnvError` of whatever was thrown. */
export function asError(reason: unknown): HpcEnvError {
  if (reason instanceof HpcEnvError) {
    return reason;
  }
  return new HpcEnvError({ message: reason instanceof Error ? reason.message : String(reason), code: 'error' }, 500);
}

/** What is sent back as it was (a request), or has colours of its own that its view reads (the lines of a log). */
const VERBATIM = new Set(['request', 'lines']);

/** An answer whose texts can be shown anywhere: nothing in them turns the direction of text or steers a terminal. */
function showable(value: unknown): unknown {
  if (typeof value === 'string') {
    return plain(value);
  }
  if (Array.isArray(value)) {
    return value.map(showable);
  }
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, VERBATIM.has(key) ? each : showable(each)]));
  }
  return value;
}

export interface IRequestOptions {
  body?: unknown;
  query?: Record<string, string | number>;
  headers?: Record<string, string>;
  /** Called with the server's clock minus ours in milliseconds, where the answer tells. */
  onClock?: (offset: number) => void;
}

/**
 * Send one request to `{base_url}hpcenv/` and return the parsed answer.
 *
 * Reading carries `no_track_activity=1`: an open tab must not keep a server alive for ever.
 * Path components are encoded here; pass them apart.
 */
export async function request<T>(
  settings: ServerConnection.ISettings,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string[],
  options: IRequestOptions = {}
): Promise<T> {
  const query: Record<string, string> = method === 'GET' ? { no_track_activity: '1' } : {};
  for (const [key, value] of Object.entries(options.query ?? {})) {
    query[key] = String(value);
  }
  const text = new URLSearchParams(query).toString();
  const url = URLExt.join(settings.baseUrl, 'hpcenv', ...path.map(encodeURIComponent)) + (text ? `?${text}` : '');
  const init: RequestInit = { method, headers: { ...options.headers } };
  if (method === 'POST' || method === 'PUT' || method === 'PATCH') {
    init.headers = { ...options.headers, 'Content-Type': 'application/json' };
    init.body = JSON.stringify(options.body ?? {});
  }
  let response: Response;
  let answer: string;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
    answer = await response.text();
  } catch (error) {
    throw new HpcEnvError({ message: error instanceof Error ? error.message : String(error), code: 'no_connection' }, 0);
  }
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (options.onClock && !Number.isNaN(date)) {
    options.onClock(date - Date.now());
  }
  let data: unknown = null;
  try {
    data = answer ? showable(JSON.parse(answer)) : null;
  } catch {
    // a proxy's page in place of an answer: its text says nothing to a person
  }
  if (!response.ok) {
    const body = (data ?? {}) as Partial<IErrorBody>;
    throw new HpcEnvError({ ...body, message: body.message || response.statusText }, response.status);
  }
  return data as T;
}
