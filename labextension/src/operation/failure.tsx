/** Why an operation failed and what can be done, before its steps and its log. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { plain } from '../format';
import { failIcon } from '../icons';
import type { IErrorBody, IOperation } from '../tokens';
import { Reason } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Icon } from '../ui/controls';
import { isAct, isChange } from './verbs';

/** The heading in plain words; the server's own message follows under “Why”. */
export function failureTitle(operation: IOperation, trans: TranslationBundle): string {
  const titles: Record<string, string> = {
    requirements_conflict: trans.__('Some of your requirements exclude each other'),
    package_not_found: trans.__('A package was not found'),
    index_unreachable: trans.__('The package index does not answer'),
    preflight_failed: trans.__('The kernel did not start'),
    disk_full: trans.__('No room is left'),
    location_unavailable: trans.__('The location cannot be used'),
    python_not_found: trans.__('The Python is not there'),
    invalid_requirement: trans.__('A requirement cannot be read'),
    name_taken: trans.__('The name is taken'),
    refused: trans.__('This site does not allow it')
  };
  if (operation.state === 'cancelled') {
    return trans.__('The change was cancelled, but not taken back');
  }
  if (operation.state === 'interrupted') {
    return isChange(operation) ? trans.__('The change was interrupted') : actTitle(operation, true, trans) || trans.__('The build was interrupted');
  }
  const known = titles[operation.error?.code ?? ''];
  if (known) {
    return known;
  }
  if (isChange(operation)) {
    return operation.verb === 'repair' ? trans.__('The repair failed') : trans.__('The change failed');
  }
  return actTitle(operation, false, trans) || trans.__('The build failed');
}

/** The same for what is done to an environment as a whole; empty where it is a build. */
function actTitle(operation: IOperation, interrupted: boolean, trans: TranslationBundle): string {
  switch (operation.verb) {
    case 'move':
      return interrupted ? trans.__('The move was interrupted') : trans.__('The move failed');
    case 'share':
      return interrupted ? trans.__('The sharing was interrupted') : trans.__('It could not be shared');
    case 'unshare':
      return interrupted ? trans.__('The end of the sharing was interrupted') : trans.__('The sharing could not be ended');
    default:
      return '';
  }
}

/** What to do where the server has no hint. */
function advice(operation: IOperation, trans: TranslationBundle): string {
  if (isAct(operation)) {
    return trans.__('Try again if the cause has gone.');
  }
  if (operation.state !== 'interrupted' && operation.state !== 'cancelled') {
    return trans.__('Change the request, or try again if the cause has gone.');
  }
  return isChange(operation)
    ? trans.__('Repair it: the change is finished or taken back.')
    : trans.__('Try again: what was downloaded is still in the cache.');
}

export function Failure(props: { operation: IOperation }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  const error: IErrorBody = operation.error ?? { message: '', reason: '', code: '', hints: [] };
  const hints = error.hints.slice(0, 3);
  const step = operation.steps[operation.step - 1];
  const interrupted = step
    ? trans.__('The server or the machine stopped at step %1, %2.', operation.step, step.title)
    : trans.__('The server or the machine stopped before the first step.');
  const why = error.message || (operation.state === 'interrupted' ? interrupted : trans.__('The log below has the last words.'));
  return (
    <section className="jp-HpcEnv-explain" role="alert">
      <h2>
        <Icon icon={failIcon} kind="error" />
        {failureTitle(operation, trans)}
      </h2>
      <div>
        <h3>{trans.__('Why')}</h3>
        <p>{plain(why)}</p>
        {error.reason && <Reason text={error.reason} />}
      </div>
      <div>
        <h3>{trans.__('What you can do')}</h3>
        <ul>
          {hints.map(hint => (
            <li key={hint}>{plain(hint)}</li>
          ))}
          {hints.length === 0 && <li>{advice(operation, trans)}</li>}
        </ul>
      </div>
    </section>
  );
}
