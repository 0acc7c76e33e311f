/** The builds of an environment for several kinds of computers, in its facts. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Acts } from './acts';

let s: Acts;
beforeEach(() => {
  s = new Acts();
});
afterEach(() => s.clear());

it('shows a line for each build, and which are older than the packages', async () => {
  const drawn = await s.open({
    target: 'zen4',
    edition: 1,
    builds: {
      zen5: { created: '2026-11-21T08:00:00.000Z', edition: 1 },
      '<b>zen3</b>': { created: '2026-11-21T08:00:00.000Z', edition: 0 }
    }
  });
  const lines = drawn.all('section[aria-label="Facts"] dd > div').map(each => each.textContent ?? '');
  expect(lines.map(line => line.split(' ')[0])).toEqual(['zen4', 'zen5', '<b>zen3</b>']);
  expect(lines.map(line => line.includes('(older than its packages)'))).toEqual([false, false, true]);
});

it('says nothing of builds where there is one', async () => {
  const drawn = await s.open();
  expect(drawn.get('section[aria-label="Facts"]').textContent).not.toContain('Builds');
});
