/** What a preset makes of the form. Pure. */
import type { ICreateRequest } from '../tokens';
import { Draft, newDraft, toRequest } from './draft';

/** Whether nobody has said anything yet, so that a preset takes nothing away. */
export function isBlank(draft: Draft): boolean {
  const said = Object.keys(toRequest({ ...draft, name: '', location: '' }));
  return draft.start === 'scratch' && said.length === 1;
}

/** The form as a preset fills it: name, place and what the launcher shows stay the person's own. */
export function ofPreset(draft: Draft, preset: string, parameters: Record<string, unknown>, request: ICreateRequest): Partial<Draft> {
  const filled = newDraft(request, 'preset');
  const { creator, extras, groups } = request;
  const beside = Object.fromEntries(Object.entries({ creator, extras, groups }).filter(([, value]) => value !== undefined));
  return {
    ...filled,
    key: draft.key,
    name: draft.name,
    location: filled.location || draft.location,
    displayName: draft.displayName || filled.displayName,
    preset,
    parameters,
    beside
  };
}
