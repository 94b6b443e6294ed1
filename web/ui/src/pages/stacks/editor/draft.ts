import type { Schemas } from '../../../api/client';
import { bundleOf, type Files, mainFile, maskedFiles, sameFile, tooMuch } from './files';
import { type Owned, ownedOf, ownerOf, sameOwner, wrongOwner } from './owner';
import { applyRules, healthOf, noRules, type Rules, rulesOf, sameRules, wrongRules } from './rules';

/** A variable for Compose. value undefined: it keeps the one that it has on the hub, which never gives it back. */
export interface Variable {
  readonly id: number;
  readonly name: string;
  readonly value: string | undefined;
  /** It is sealed on its way to devices, and shown to nobody. */
  readonly secret: boolean;
}

/** Settings of a stack beside its files. */
export interface Settings extends Owned, Rules {
  /** The home of the stack; empty: the root. */
  readonly group: string;
  readonly selector: string;
  /** All devices were asked for, which an empty selector is not enough for. */
  readonly everywhere: boolean;
  readonly pull: 'missing' | 'always' | 'never';
  readonly removeVolumes: boolean;
}

/** Base is the stack as it was on the hub when editing began. */
export interface Base {
  readonly etag: string;
  readonly version: number;
  readonly author: string;
  readonly files: Files;
  readonly variables: readonly string[];
  /** Which of them are secret. */
  readonly secret: readonly string[];
  readonly settings: Settings;
}

/** Draft is a stack as it is edited. It never changes; what is typed makes another. */
export interface Draft {
  /** Absent: the stack is new. */
  readonly base?: Base;
  /** The version that the files came from; 0: none. */
  readonly from: number;
  readonly name: string;
  readonly files: Files;
  readonly variables: readonly Variable[];
  readonly settings: Settings;
  readonly message: string;
  /** Tells drafts apart. */
  readonly id: string;
  /** Counts changes; 0: it is as it began. */
  readonly rev: number;
}

const starter = `# What runs on each device, as a Compose file.
services:
  web:
    image: nginx:1.29
    restart: unless-stopped
    ports:
      - "8080:80"
`;

const noSettings: Settings = {
  ...noRules,
  selector: '',
  everywhere: false,
  group: '',
  visibility: '',
  account: '',
  team: '',
  pull: 'missing',
  removeVolumes: false,
};

/** newDraft begins a new stack. */
export function newDraft(): Draft {
  return {
    from: 0,
    name: '',
    files: new Map([['compose.yml', { content: starter }]]),
    variables: [],
    settings: noSettings,
    message: '',
    id: crypto.randomUUID(),
    rev: 0,
  };
}

/** baseOf takes over what the hub says of a stack. */
export function baseOf(stack: Schemas['Stack'], files: Files): Base {
  return {
    etag: stack.etag,
    version: stack.version,
    author: stack.current.author ?? '',
    files,
    variables: stack.current.env ?? [],
    secret: stack.current.secret ?? [],
    settings: {
      ...rulesOf(stack, stack.current.health),
      selector: stack.selector,
      everywhere: stack.selector === '' && stack.include.length === 0,
      group: stack.group,
      ...ownedOf(stack.owner),
      pull: pullOf(stack.current.pull),
      removeVolumes: stack.remove_volumes,
    },
  };
}

function pullOf(word: string): Settings['pull'] {
  return word === 'always' || word === 'never' ? word : 'missing';
}

/** From is the version that a draft begins with. */
export interface From {
  number: number;
  files: Files;
  variables: readonly string[];
  secret: readonly string[];
  pull: string;
  health: Schemas['Health'];
}

/** draftOf begins to edit a stack, with the files of one of its versions. */
export function draftOf(name: string, base: Base, from?: From): Draft {
  return {
    base,
    from: from?.number ?? base.version,
    name,
    files: from?.files ?? base.files,
    variables: (from ?? base).variables.map((n, id) => ({
      id,
      name: n,
      value: undefined,
      secret: (from ?? base).secret.includes(n),
    })),
    settings: from ? { ...base.settings, ...healthOf(from.health), pull: pullOf(from.pull) } : base.settings,
    message: from && from.number !== base.version ? `Back to version ${from.number}` : '',
    id: crypto.randomUUID(),
    rev: 0,
  };
}

/** changedPaths lists the paths whose files are not the same. */
export function changedPaths(a: Files, b: Files): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((p) => !sameFile(a.get(p), b.get(p))).sort();
}

/** homeOf gives the path of a stack's home as the hub writes it. */
export function homeOf(s: Settings): string {
  return s.group.trim().replace(/^\/+|\/+$/g, '');
}

/** sameSettings tells whether two are alike. */
export function sameSettings(a: Settings, b: Settings): boolean {
  return (
    a.selector === b.selector &&
    a.everywhere === b.everywhere &&
    homeOf(a) === homeOf(b) &&
    sameOwner(a, b) &&
    sameRules(a, b) &&
    a.pull === b.pull &&
    a.removeVolumes === b.removeVolumes
  );
}

const envForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const nameForm = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const maxEnv = 16 << 10;

/** wrongName says what is wrong with a stack's name. */
export function wrongName(name: string): string | undefined {
  if (nameForm.test(name)) return undefined;
  return name === '' ? 'Give it a name.' : 'Use 1 to 63 of a–z, 0–9, - and _; begin with a letter or digit.';
}

/** wrongVariable says what is wrong with a variable among others. */
export function wrongVariable(v: Variable, all: readonly Variable[]): { name?: string; value?: string } {
  if (v.name === '') return { name: 'Give it a name, or remove it.' };
  if (!envForm.test(v.name)) return { name: 'Use letters, digits and _; do not begin with a digit.' };
  if (v.name.startsWith('FARSHORE_')) return { name: 'The hub sets what begins with FARSHORE_: choose another name.' };
  if (all.some((o) => o.id < v.id && o.name === v.name)) return { name: 'This name is there already.' };
  if (v.value?.includes('\0')) return { value: 'Binary data belongs in a file of the stack.' };
  return {};
}

/** wrongSelector says what is missing in the choice of devices. */
export function wrongSelector(s: Settings): string | undefined {
  return !s.everywhere && s.selector.trim() === '' && s.include.length === 0
    ? 'Write a selector, name edge groups, or choose all devices.'
    : undefined;
}

/** obstacles lists what has to be mended before the hub can be asked. */
export function obstacles(d: Draft): string[] {
  const wrong: string[] = [];
  const name = wrongName(d.name);
  if (name) wrong.push(`Name: ${name}`);
  if (!mainFile(d.files)) wrong.push('There is no compose.yml: add one, it says which services run.');
  wrong.push(...tooMuch(d.files));
  for (const v of d.variables) {
    const { name, value } = wrongVariable(v, d.variables);
    if (name || value) wrong.push(`Variable ${v.name || '(no name)'}: ${name ?? value}`);
  }
  const size = d.variables.reduce((n, v) => n + new TextEncoder().encode(v.name + (v.value ?? '')).length, 0);
  if (size > maxEnv) wrong.push('The variables have more than 16 KiB: put large values into a file.');
  if (new TextEncoder().encode(d.message).length > 1024)
    wrong.push('The message has more than 1,024 bytes: shorten it.');
  for (const path of maskedFiles(d.files)) {
    wrong.push(
      `${path} has values that are hidden from you (MASKED-BY-FARSHORE): give your own, or ask who may see them.`,
    );
  }
  const owner = wrongOwner(d.settings);
  if (owner) wrong.push(`Owner: ${owner}`);
  const selector = wrongSelector(d.settings);
  if (selector) wrong.push(`Devices: ${selector}`);
  wrong.push(...wrongRules(d.settings));
  return wrong;
}

/** applyOf gives what the API takes. */
export function applyOf(d: Draft): Schemas['Apply'] {
  const was = d.base?.settings;
  const home = homeOf(d.settings);
  // What is left out stays as it is: who changes neither needs no right to move the stack.
  const group = home === (was ? homeOf(was) : '') ? {} : { group: home };
  const owner =
    d.settings.visibility === '' || (was && sameOwner(was, d.settings)) ? {} : { owner: ownerOf(d.settings) };
  const kept = d.variables.filter((v) => v.value === undefined).map((v) => v.name);
  return {
    files: bundleOf(d.files),
    selector: d.settings.everywhere ? '' : d.settings.selector.trim(),
    env: Object.fromEntries(d.variables.flatMap((v) => (v.value === undefined ? [] : [[v.name, v.value]]))),
    secret: d.variables.filter((v) => v.secret).map((v) => v.name),
    ...(kept.length > 0 ? { keep_env: { version: d.from, names: kept } } : {}),
    ...applyRules(d.settings, was),
    ...group,
    ...owner,
    pull: d.settings.pull,
    remove_volumes: d.settings.removeVolumes,
    ...(d.message.trim() ? { message: d.message.trim() } : {}),
  };
}

/** parseEnv reads variables as .env files have them: NAME=value, a line each. undefined: that is something else. */
export function parseEnv(text: string): { name: string; value: string }[] | undefined {
  const found: { name: string; value: string }[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim().replace(/^export\s+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    if (at < 1 || !envForm.test(line.slice(0, at).trim())) return undefined;
    const value = line.slice(at + 1).trim();
    const inQuotes = /^(["'])(.*)\1$/.exec(value);
    found.push({ name: line.slice(0, at).trim(), value: inQuotes?.[2] ?? value });
  }
  return found.length > 0 ? found : undefined;
}
