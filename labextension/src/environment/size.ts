/** How large an environment is, asked again while the server measures it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { bytes, count } from '../format';
import type { IEnvironmentDetail, ISize } from '../tokens';
import { useHpcEnv } from '../ui/context';

const FIRST_WAIT = 1_000;
const LAST_WAIT = 15_000;

/** What is known of the size of one's own environment; null while nothing is, or where nobody is asked. */
export function useSize(environment: Pick<IEnvironmentDetail, 'id' | 'origin' | 'state' | 'revision' | 'prefix'>): ISize | null {
  const { model } = useHpcEnv();
  const [size, setSize] = React.useState<ISize | null>(null);
  const asked = environment.origin === 'own' && (environment.state === 'ready' || environment.state === 'module_missing');
  const { id, revision, prefix } = environment;
  React.useEffect(() => {
    setSize(null);
    if (!asked) {
      return;
    }
    let timer = 0;
    let wanted = true;
    const ask = async (wait: number): Promise<void> => {
      try {
        const answer = await model.api.size(id);
        if (wanted) {
          setSize(answer);
          if (answer.measuring) {
            timer = window.setTimeout(() => void ask(Math.min(LAST_WAIT, wait * 1.5)), wait);
          }
        }
      } catch {
        // a figure that is not there is left out; the page says elsewhere that the server does not answer
      }
    };
    void ask(FIRST_WAIT);
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [model, asked, id, revision, prefix]);
  return size;
}

/** “1.84 GB, 9,500 files”; empty while it is not known. */
export function sizeWord(size: ISize | null, trans: TranslationBundle): string {
  if (!size || size.bytes === null || size.files === null) {
    return '';
  }
  const own = trans._n('%2, %3 file', '%2, %3 files', size.files, bytes(size.bytes), count(size.files));
  return size.shared_bytes > 0 ? trans.__('%1; %2 more it has in common with a cache or another environment', own, bytes(size.shared_bytes)) : own;
}
