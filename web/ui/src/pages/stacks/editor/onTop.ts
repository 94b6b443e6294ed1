import { type Base, changedPaths, type Draft, homeOf, type Settings } from './draft';
import { type Files, sameFile } from './files';
import { sameOwner } from './owner';
import { rulesOnTop } from './rules';

/** Both is how a file differs between two people who began with the same: who changed it. */
export interface Both {
  path: string;
  who: 'mine' | 'theirs' | 'both';
}

/** compare lists the files in which mine and theirs differ, and who changed each since we began. */
export function compare(base: Files, mine: Files, theirs: Files): Both[] {
  return changedPaths(mine, theirs).map((path) => {
    const b = base.get(path);
    if (sameFile(b, theirs.get(path))) return { path, who: 'mine' };
    return { path, who: sameFile(b, mine.get(path)) ? 'theirs' : 'both' };
  });
}

/**
 * onTop puts what I changed on top of what is on the hub now. A file that only the other one changed is theirs; one
 * that both changed stays as I have it.
 */
export function onTop(draft: Draft, theirs: Base): Draft {
  const base = draft.base;
  const files = new Map(theirs.files);
  for (const { path, who } of compare(base?.files ?? new Map(), draft.files, theirs.files)) {
    if (who === 'theirs') continue;
    const mine = draft.files.get(path);
    if (mine) files.set(path, mine);
    else files.delete(path);
  }
  const had = new Set(base?.variables ?? []);
  const have = new Set(draft.variables.map((v) => v.name));
  // Values that I left alone are theirs now, unless I went back to an earlier version on purpose.
  const follow = draft.from === base?.version;
  const added = follow ? theirs.variables.filter((n) => !had.has(n) && !have.has(n)) : [];
  const next = Math.max(-1, ...draft.variables.map((v) => v.id)) + 1;
  const mine = draft.variables.filter((v) => !follow || v.value !== undefined || theirs.variables.includes(v.name));
  return {
    ...draft,
    base: theirs,
    from: follow ? theirs.version : draft.from,
    files,
    variables: [
      ...mine,
      ...added.map((name, i) => ({
        id: next + i,
        name,
        value: undefined,
        secret: theirs.secret.includes(name),
      })),
    ],
    settings: base ? settingsOnTop(base.settings, draft.settings, theirs.settings) : draft.settings,
    rev: draft.rev + 1,
  };
}

function settingsOnTop(base: Settings, mine: Settings, theirs: Settings): Settings {
  const target = base.selector !== mine.selector || base.everywhere !== mine.everywhere ? mine : theirs;
  const owner = sameOwner(base, mine) ? theirs : mine;
  return {
    ...rulesOnTop(base, mine, theirs),
    selector: target.selector,
    everywhere: target.everywhere,
    group: homeOf(base) === homeOf(mine) ? theirs.group : mine.group,
    visibility: owner.visibility,
    account: owner.account,
    team: owner.team,
    pull: base.pull === mine.pull ? theirs.pull : mine.pull,
    removeVolumes: base.removeVolumes === mine.removeVolumes ? theirs.removeVolumes : mine.removeVolumes,
  };
}
