import { describe, expect, it } from 'vitest';
import { applyOf, type Base, draftOf, newDraft, obstacles, parseEnv } from './draft';
import type { Files } from './files';
import { onTop } from './onTop';
import { noRules } from './rules';

const files = (all: Record<string, string>): Files =>
  new Map(Object.entries(all).map(([p, content]) => [p, { content }]));

const base: Base = {
  etag: 'one',
  version: 1,
  author: 'ann',
  files: files({ 'compose.yml': 'old', a: 'a', b: 'b', c: 'c' }),
  variables: ['TOKEN'],
  secret: ['TOKEN'],
  settings: {
    ...noRules,
    selector: 'site=a',
    everywhere: false,
    group: 'norway',
    visibility: 'team',
    account: '',
    team: 'crew',
    pull: 'missing',
    removeVolumes: false,
  },
};

describe('drafts', () => {
  it('keeps the values that are not typed anew', () => {
    const draft = draftOf('web', base);
    expect(obstacles(draft)).toEqual([]);
    expect(applyOf(draft)).toMatchObject({ env: {}, keep_env: { version: base.version, names: ['TOKEN'] } });
    const given = { ...draft, variables: draft.variables.map((v) => ({ ...v, value: 's3' })) };
    expect(applyOf(given)).toMatchObject({ env: { TOKEN: 's3' } });
    expect(applyOf(given)).not.toHaveProperty('keep_env');
    expect(applyOf({ ...draft, variables: [] })).not.toHaveProperty('keep_env');
  });

  it('keeps secret what is secret, and makes secret what was chosen', () => {
    const draft = draftOf('web', base);
    expect(applyOf(draft).secret).toEqual(['TOKEN']);
    const more = { ...draft, variables: [...draft.variables, { id: 1, name: 'PORT', value: '80', secret: false }] };
    expect(applyOf(more).secret).toEqual(['TOKEN']);
    const open = { ...draft, variables: draft.variables.map((v) => ({ ...v, value: 'x', secret: false })) };
    expect(applyOf(open).secret).toEqual([]);
  });

  it('goes to edge groups without a selector, and to no others', () => {
    const draft = { ...newDraft(), name: 'web' };
    const some = { ...draft, settings: { ...draft.settings, include: ['early'], exclude: ['frozen'] } };
    expect(obstacles(some)).toEqual([]);
    expect(applyOf(some)).toMatchObject({ selector: '', include: ['early'], exclude: ['frozen'] });
    expect(applyOf(draft)).not.toHaveProperty('include');
  });

  it('follows the values of another editor, but not when going back', () => {
    const theirs = { ...base, version: base.version + 1, variables: ['PORT'] };
    const draft = onTop(draftOf('web', base), theirs);
    expect(applyOf(draft).keep_env).toEqual({ version: theirs.version, names: ['PORT'] });
    const back = draftOf('web', base, {
      number: base.version - 1,
      files: base.files,
      variables: ['OLD'],
      secret: [],
      pull: 'missing',
      health: {},
    });
    expect(applyOf(onTop(back, theirs)).keep_env?.version).toBe(base.version - 1);
  });

  it('goes to all devices only where that was said', () => {
    const draft = { ...newDraft(), name: 'web' };
    expect(obstacles(draft)).toEqual([expect.stringContaining('all devices')]);
    const all = { ...draft, settings: { ...draft.settings, everywhere: true } };
    expect(obstacles(all)).toEqual([]);
    expect(applyOf(all).selector).toBe('');
  });

  it('moves and gives away a stack only where that was chosen', () => {
    const draft = draftOf('web', base);
    expect(applyOf(draft)).not.toHaveProperty('group');
    expect(applyOf(draft)).not.toHaveProperty('owner');
    const mine = { ...draft, settings: { ...draft.settings, group: '', visibility: 'private' as const } };
    expect(applyOf(mine)).toMatchObject({ group: '', owner: { visibility: 'private' } });
    expect(applyOf(mine).owner).not.toHaveProperty('team');
    const fresh = { ...newDraft(), name: 'web', settings: { ...newDraft().settings, group: '/norway/oslo/' } };
    expect(applyOf(fresh)).toMatchObject({ group: 'norway/oslo' });
    expect(applyOf(fresh)).not.toHaveProperty('owner');
    const nobodys = { ...draft, settings: { ...draft.settings, team: '' } };
    expect(obstacles(nobodys)).toEqual([expect.stringContaining('team')]);
  });

  it('does not deploy what is hidden from its reader', () => {
    const masked = { ...base, files: files({ 'compose.yml': 'a: MASKED-BY-FARSHORE', other: 'x' }) };
    expect(obstacles(draftOf('web', masked))).toEqual([expect.stringContaining('compose.yml has values')]);
    expect(obstacles({ ...draftOf('web', masked), files: files({ 'compose.yml': 'a: mine' }) })).toEqual([]);
  });

  it('says what is wrong with names', () => {
    const draft = { ...draftOf('Web Shop', base), variables: [] };
    expect(obstacles(draft)[0]).toContain('Name');
    const v = (id: number, name: string) => ({ id, name, value: '', secret: false });
    const bad = { ...draft, name: 'web', variables: [v(0, '1A'), v(1, 'FARSHORE_X'), v(2, 'OK'), v(3, 'OK')] };
    expect(obstacles(bad)).toHaveLength(3);
  });

  it('reads .env files that are pasted', () => {
    expect(parseEnv('# secret\nexport A=1\r\nB="x y"\n\nC=a=b')).toEqual([
      { name: 'A', value: '1' },
      { name: 'B', value: 'x y' },
      { name: 'C', value: 'a=b' },
    ]);
    expect(parseEnv('just text\nmore')).toBeUndefined();
  });
});

describe('two people', () => {
  const theirs: Base = {
    ...base,
    etag: 'two',
    version: 2,
    files: files({ 'compose.yml': 'theirs', a: 'theirs', b: 'b', new: 'theirs' }),
    variables: ['TOKEN', 'EXTRA'],
    settings: { ...base.settings, pull: 'always', selector: 'site=b' },
  };
  const start = draftOf('web', base);
  const mine = {
    ...start,
    files: files({ 'compose.yml': 'mine', a: 'a', c: 'c', mine: 'mine' }),
    settings: { ...start.settings, selector: 'site=c' },
  };

  it('keeps what I changed, and takes over what only they changed', () => {
    const merged = onTop(mine, theirs);
    expect([...merged.files].map(([p, f]) => [p, f.content]).sort()).toEqual([
      ['a', 'theirs'],
      ['compose.yml', 'mine'],
      ['mine', 'mine'],
      ['new', 'theirs'],
    ]);
    expect(merged.settings).toEqual({ ...base.settings, selector: 'site=c', pull: 'always' });
    expect(merged.variables.map((v) => v.name)).toEqual(['TOKEN', 'EXTRA']);
    expect(merged.base?.etag).toBe('two');
  });

  it('follows a stack that they moved, unless I move it too', () => {
    const moved = { ...theirs, settings: { ...theirs.settings, group: 'sweden', visibility: 'public' as const } };
    expect(onTop(mine, moved).settings).toMatchObject({ group: 'sweden', visibility: 'public' });
    const both = { ...mine, settings: { ...mine.settings, group: 'oslo', team: 'night' } };
    expect(onTop(both, moved).settings).toMatchObject({ group: 'oslo', visibility: 'team', team: 'night' });
  });
});
