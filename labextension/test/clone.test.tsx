/** A copy of an environment, and how large one is. */
import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { shellCommand } from '../src/create/command';
import { newDraft, toRequest } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { sizeWord } from '../src/environment/size';
import { Acts, ID, NO, SHARED } from './acts';
import { environment, ICall, operation, Refusal, trans } from './facts';

let s: Acts;
beforeEach(() => {
  s = new Acts();
});
afterEach(() => s.clear());

describe('a copy', () => {
  it('is asked for with the form, which is filled and not sent', async () => {
    await s.open();
    await s.choose('Clone…');
    expect(s.pages.create).toHaveBeenCalledWith({ clone_of: ID });
    expect(s.w.server.writes).toEqual([]);
  });

  it('takes a name and a place, and all else from its source', async () => {
    s.w.server.set('GET environments', [environment()]);
    await s.w.model.refresh();
    const submitted = vi.fn();
    const draft = newDraft({ clone_of: ID, packages: ['evil'], manager: 'conda', modules: ['x'], file: 'f' });
    await s.draw(<CreatePage draft={draft} onSubmitted={submitted} />);
    expect(s.page.text()).toContain('A copy of climate: exactly its packages');
    expect(s.page.all('[data-field="packages"], [data-field="python"], [data-field="channels"]')).toEqual([]);
    const name = s.page.get<HTMLInputElement>('[data-first]');
    expect([name.value, document.activeElement]).toEqual(['', name]);
    await s.page.click(s.page.button('Create'));
    expect(s.w.server.writes).toEqual([]);
    await s.page.type(name, 'climate-copy');
    expect(s.page.text()).toContain('jupyter hpcenv clone climate climate-copy');
    s.w.server.set('POST environments', operation('climate-copy', 0, { state: 'pending' }));
    await s.page.click(s.page.button('Create'));
    expect(s.w.server.writes.map(call => call.body)).toEqual([{ name: 'climate-copy', clone_of: ID }]);
    expect(submitted).toHaveBeenCalledTimes(1);
  });

  it('says what the server refuses, which no field of it is about', async () => {
    s.w.server.set('POST environments', new Refusal(409, { ...NO, code: 'package_not_found' }));
    await s.draw(<CreatePage draft={newDraft({ clone_of: '<b>x</b>', name: 'a' })} onSubmitted={() => undefined} />);
    expect(s.page.text()).toContain('A copy of <b>x</b>: exactly its packages');
    await s.page.click(s.page.button('Create'));
    expect(s.page.get('aside [role="alert"]').textContent).toContain('No: <b>x</b>.First do this.');
    await s.page.click(s.page.button('Start without a copy'));
    expect(s.page.all('[data-field="packages"]').length).toBeGreaterThan(0);
    expect(document.activeElement).toBe(s.page.get('[data-first]'));
  });

  it('keeps what it is through the form, and stands as a command', () => {
    const request = { name: 'b', clone_of: 'a', location: 'scratch', variables: { A: 'b c' }, display_name: 'B', kernel: false };
    expect(toRequest(newDraft(request))).toEqual(request);
    expect(shellCommand(request)).toBe("jupyter hpcenv clone a b \\\n  --location scratch \\\n  --var 'A=b c' \\\n  --display-name B \\\n  --no-kernel");
  });
});

describe('the size', () => {
  const size = { environment: ID, name: 'climate', location: 'home', bytes: 1.84e9, files: 9500, shared_bytes: 0, measuring: false, message: '' };
  const fact = (): string | undefined => s.page.all('dt').find(node => node.textContent === 'Size')?.nextElementSibling?.textContent ?? undefined;

  it('is not said before it is known, and asked again while it is measured', async () => {
    const answers = [
      { ...size, bytes: null, files: null, measuring: true },
      { ...size, bytes: null, files: null, measuring: true },
      size
    ];
    s.w.server.set(`GET environments/${ID}/size`, () => answers.shift());
    const asked = (): ICall[] => s.w.server.calls.filter(call => call.path.startsWith(`environments/${ID}/size`));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await s.open();
    expect([fact(), asked().length]).toEqual([undefined, 1]);
    for (const wait of [1_000, 1_500, 60_000]) {
      await act(async () => {
        await vi.advanceTimersByTimeAsync(wait);
      });
      await s.page.settle();
    }
    expect([fact(), asked().length]).toEqual(['1.84 GB, 9,500 files', 3]);
  });

  it('is asked no more once the page is gone, and not at all of what is a colleague’s', async () => {
    s.w.server.set(`GET environments/${ID}/size`, { ...size, bytes: null, files: null, measuring: true });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await s.open();
    s.close();
    const before = s.w.server.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(s.w.server.calls).toHaveLength(before);
    await s.open(SHARED);
    expect(s.w.server.calls.filter(call => call.path.startsWith(`environments/${ID}/size`))).toHaveLength(1);
  });

  it('tells apart what is shared with others', () => {
    expect(sizeWord({ ...size, files: 1, shared_bytes: 3e8 }, trans)).toBe('1.84 GB, 1 file; 300 MB more it has in common with a cache or another environment');
    expect(sizeWord(null, trans)).toBe('');
  });
});
