/** Which manager the form means, what it understands, and what stays when another one is taken. Pure. */
import { minor } from '../format';
import type { IManagerFacts, ISite, Language } from '../tokens';
import type { Draft } from './draft';

/** The manager that the form means; undefined where the site has none of that name. */
export function chosenManager(draft: Pick<Draft, 'manager'>, site: ISite | null): IManagerFacts | undefined {
  const managers = site?.managers ?? [];
  return draft.manager ? managers.find(each => each.name === draft.manager) : managers[0];
}

/** Those that a person is asked to choose from: the first, those that the site says something of, and the chosen one. */
export function offered(draft: Pick<Draft, 'manager'>, site: ISite): IManagerFacts[] {
  return site.managers.filter((each, at) => at === 0 || !!each.description || each.name === draft.manager);
}

/** The first of the site's managers that reads conda's files. */
export function condaManager(site: ISite | null): IManagerFacts | undefined {
  return site?.managers.find(each => each.language === 'conda');
}

// markers, addresses, folders and extras, none of which a match spec has
const NO_SPEC = /(^|\s)@\s|;|^[\w.-]+\s*\[[^\]=]*\]|===|^(git|hg|svn|bzr)\+|^[./-]/;
// a channel before the name, one “=”, “|”, or a version or keys that stand as conda has them
const NO_REQUIREMENT = /::|\||(^|[^<>=!~])=(?!=)|^[\w.-]+\s+[\d*]|\[[^\]]*=/;

/** Tell whether a request for a package can stand in another language as it is. */
export function fits(requirement: string, language: Language): boolean {
  return !(language === 'conda' ? NO_SPEC : NO_REQUIREMENT).test(requirement);
}

/** The Python that was asked for, in the words of another language. */
function python(draft: Draft, language: Language, site: ISite): string {
  const asked = draft.python;
  if (language === 'conda') {
    const version = site.pythons.find(each => each.path === asked)?.version ?? asked;
    return /^\d+(\.\d+)*$/.test(version) ? (version === asked ? asked : minor(version)) : '';
  }
  const same = asked && site.pythons.find(each => minor(each.version) === asked);
  return same ? (same.default ? '' : same.path) : asked;
}

/** What a form that was filled before the site was known means here. */
export function settled(draft: Draft, site: ISite): Partial<Draft> {
  const ofConda = draft.language === 'conda' && !draft.manager && site.managers[0]?.language !== 'conda';
  const manager = draft.manager || (ofConda ? (condaManager(site)?.name ?? '') : '');
  const language = chosenManager({ manager }, site)?.language ?? draft.language;
  // a file that nothing here reads is shown all the same, and refused by its lines
  const unread = language === 'pep508' && draft.file && !draft.requirements ? { requirements: draft.file } : {};
  return { manager, language, ...unread };
}

/** The change of the form that taking another manager means: what does not fit it is put aside, and comes back with its own. */
export function switched(draft: Draft, manager: IManagerFacts, site: ISite): Partial<Draft> {
  const name = manager.name === site.managers[0]?.name ? '' : manager.name;
  const language = manager.language ?? 'pep508';
  if (language === draft.language) {
    return { manager: name };
  }
  const all = [...draft.packages, ...draft.aside];
  return {
    manager: name,
    language,
    python: python(draft, language, site),
    packages: all.filter(each => fits(each, language)),
    aside: all.filter(each => !fits(each, language))
  };
}
