import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Follower } from '../src/follow';
import { HpcEnvError } from '../src/request';
import { ENVIRONMENT_EVENT, IOperation, OPERATION_EVENT } from '../src/tokens';
import { environment, IWorld, operation, Refusal, site, world } from './facts';

let w: IWorld;
beforeEach(() => {
  w = world();
});

describe('requests', () => {
  it('read without counting as activity, and write without that mark', async () => {
    w.server.set('POST environments', operation('a', 0));
    await w.model.refresh();
    await w.model.api.create({ name: 'a' }, 'key-1');
    const reads = w.server.calls.filter(call => call.method === 'GET');
    expect(reads.length).toBeGreaterThan(1);
    expect(reads.every(call => call.path.includes('no_track_activity=1'))).toBe(true);
    const [write] = w.server.writes;
    expect(write.path).toMatch(/^environments(\?\d+)?$/);
    expect(write.headers.get('content-type')).toBe('application/json');
    expect(write.headers.get('idempotency-key')).toBe('key-1');
  });

  it('carry the server’s own words', async () => {
    w.server.set('GET site', new Refusal(409, { message: 'No.', reason: 'r', code: 'busy', hints: ['Wait.'] }));
    await expect(w.model.api.site()).rejects.toMatchObject({ message: 'No.', code: 'busy', hints: ['Wait.'], status: 409 });
  });

  it('know when nobody answers', async () => {
    w.server.offline = true;
    const error: unknown = await w.model.api.site().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HpcEnvError);
    expect((error as HpcEnvError).offline).toBe(true);
  });

  it('encode ids, so that no id reaches another route', async () => {
    await w.model.api.environment('../site').catch(() => undefined);
    expect(w.server.calls[0].path).toContain('environments/..%2Fsite');
  });
});

describe('the model', () => {
  it('keeps the old list when a reading fails', async () => {
    w.server.set('GET environments', [environment()]);
    await w.model.refresh();
    w.server.offline = true;
    await w.model.refresh();
    expect(w.model.environments).toHaveLength(1);
    expect(w.model.error?.offline).toBe(true);
    w.server.offline = false;
    await w.model.refresh();
    expect(w.model.error).toBeNull();
  });

  it('tells once that an operation ended, with its environment in the list, and refreshes the kernels', async () => {
    const ended: string[] = [];
    w.model.finished.connect((model, done) => {
      expect(model.environment(done.environment.id)?.name).toBe('hydro');
      ended.push(done.state);
    });
    w.server.set('GET operations', [operation('hydro', 3)]);
    await w.model.refresh();
    w.server.set('GET operations', [operation('hydro', 6, { state: 'succeeded' })]);
    w.server.set('GET environments', [environment({ name: 'hydro' })]);
    await w.model.refreshOperations();
    await w.model.refreshOperations();
    expect(ended).toEqual(['succeeded']);
    expect(w.refreshedKernels()).toBe(1);
  });

  it('is silent about operations that ended before it looked', async () => {
    const ended: IOperation[] = [];
    w.model.finished.connect((_, done) => ended.push(done));
    w.server.set('GET operations', [operation('old', 6, { state: 'failed' })]);
    await w.model.refresh();
    await w.model.refresh();
    expect(ended).toEqual([]);
  });

  it('shares one reading among callers', async () => {
    await Promise.all([w.model.refresh(), w.model.refresh(), w.model.refreshOperations(), w.model.refresh()]);
    expect(w.server.calls.filter(call => call.path.startsWith('operations')).length).toBeLessThanOrEqual(2);
  });

  it('counts kernels by the names of an environment', () => {
    w.kernels.push('hpcenv-home.climate', 'hpcenv-home.climate', 'python3');
    expect(w.model.kernelsRunning(environment())).toBe(2);
  });
});

describe('the follower', () => {
  let follower: Follower;
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    follower.dispose();
    vi.useRealTimers();
  });
  const flush = () => vi.advanceTimersByTimeAsync(0);
  const reads = (what: string): number => w.server.calls.filter(call => call.path.startsWith(what)).length;

  it('reads at once, then by its clock', async () => {
    follower = new Follower(w.model);
    await flush();
    expect(reads('environments')).toBe(1);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(reads('environments')).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(reads('environments')).toBe(2);
  });

  it('follows a running operation every second, and reads environments when it ends', async () => {
    w.server.set('GET operations', [operation('a', 1)]);
    follower = new Follower(w.model);
    await flush();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(reads('operations')).toBeGreaterThanOrEqual(5);
    expect(reads('environments')).toBe(1);
    w.server.set('GET operations', [operation('a', 6, { state: 'succeeded' })]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(reads('environments')).toBe(2);
  });

  it('listens to the events of the server', async () => {
    follower = new Follower(w.model);
    await flush();
    const before = reads('operations');
    w.event(OPERATION_EVENT);
    await flush();
    expect(reads('operations')).toBe(before + 1);
    w.event(ENVIRONMENT_EVENT);
    await flush();
    expect(reads('environments')).toBe(2);
    expect(w.refreshedKernels()).toBe(1);
    w.event('https://events.jupyter.org/other');
    await flush();
    expect(reads('environments')).toBe(2);
  });

  it('reads again when the person comes back', async () => {
    follower = new Follower(w.model);
    await flush();
    window.dispatchEvent(new Event('focus'));
    await flush();
    expect(reads('environments')).toBe(2);
  });

  it('tries again later and later while nobody answers', async () => {
    w.server.offline = true;
    follower = new Follower(w.model);
    await flush();
    expect(w.model.retryAt).toBeGreaterThan(Date.now());
    await vi.advanceTimersByTimeAsync(60_000);
    const tries = reads('operations');
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(10);
    w.server.offline = false;
    w.server.set('GET site', site());
    await vi.advanceTimersByTimeAsync(65_000);
    expect(w.model.error).toBeNull();
  });
});
