/** How large an environment is, asked again while the server measures it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { bytes, count } from '../format';
import type { IEnvironmentDetail, ISize } from '../tokens';
import { useAskedAgain } from '../ui/asked-again';
import { useHpcEnv } from '../ui/context';

/** What is known of the size of one's own environment; null while nothing is, or where nobody is asked. */
export function useSize(environment: Pick<IEnvironmentDetail, 'id' | 'origin' | 'state' | 'revision' | 'prefix'>): ISize | null {
  const { model } = useHpcEnv();
  const asked = environment.origin === 'own' && (environment.state === 'ready' || environment.state === 'module_missing');
  const { id, revision, prefix } = environment;
  // a figure that is not there is left out; the page says elsewhere that the server does not answer
  return useAskedAgain<ISize>(asked ? () => model.api.size(id) : null, size => size.measuring, `${id} ${revision} ${prefix}`).value;
}

/** “1.84 GB, 9,500 files”; empty while it is not known. */
export function sizeWord(size: ISize | null, trans: TranslationBundle): string {
  if (!size || size.bytes === null || size.files === null) {
    return '';
  }
  const own = trans._n('%2, %3 file', '%2, %3 files', size.files, bytes(size.bytes), count(size.files));
  return size.shared_bytes > 0 ? trans.__('%1; %2 more it has in common with a cache or another environment', own, bytes(size.shared_bytes)) : own;
}
