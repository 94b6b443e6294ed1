import { type OutputUnit, type Schema as ReadSchema, Validator } from '@cfworker/json-schema';

/** Schema is a JSON schema (draft 7). */
export type Schema = Record<string, unknown>;

/** Fault is where a value does not follow the schema. */
export interface Fault {
  /** The way to the value, or to the key that is wrong. */
  at: readonly string[];
  on: 'key' | 'value';
  message: string;
}

/** A leaf is one broken rule; the applicators around it are left out. */
interface Leaf {
  at: readonly string[];
  keyword: string;
  /** Where the rule is in the schema, through references. */
  rule: readonly string[];
  error: string;
}

const applicators = new Set(['properties', 'patternProperties', 'items', '$ref', 'allOf', 'if', 'propertyNames']);

/** faultsOf says in sentences where a value does not follow the Compose schema. It is never stricter than the hub. */
export function faultsOf(value: unknown, schema: Schema): Fault[] {
  const { errors } = new Validator(schema as ReadSchema, '7', false).validate(value);
  return leaves(errors, schema)
    .filter((leaf) => !excused(leaf, value, schema))
    .map((leaf) => explain(leaf, value, schema));
}

const parts = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((p) => decodeURI(p).replaceAll('~1', '/').replaceAll('~0', '~'));

/** leaves takes the broken rules out of the tree of errors. Of alternatives only what is wrong with the likeliest. */
function leaves(errors: readonly OutputUnit[], schema: Schema): Leaf[] {
  const out: Leaf[] = [];
  for (let i = 0; i < errors.length; i++) {
    const e = errors[i] as OutputUnit;
    if (e.keyword === 'additionalProperties') {
      const next = errors[i + 1];
      if (next?.keyword !== 'false') continue;
      out.push({ at: parts(next.instanceLocation), keyword: 'unknown', rule: parts(e.keywordLocation), error: '' });
      i++;
    } else if (e.keyword === 'oneOf' || e.keyword === 'anyOf') {
      let end = i + 1;
      while (end < errors.length && within(errors[end] as OutputUnit, e)) end++;
      out.push(...likeliest(errors.slice(i + 1, end), e, schema));
      i = end - 1;
    } else if (!applicators.has(e.keyword)) {
      out.push({ at: parts(e.instanceLocation), keyword: e.keyword, rule: parts(e.keywordLocation), error: e.error });
    }
  }
  return out;
}

/** within tells whether an error belongs to an alternative. Those of `false` have no place in the schema. */
function within(e: OutputUnit, alternative: OutputUnit): boolean {
  return e.keyword === 'false'
    ? e.instanceLocation.startsWith(`${alternative.instanceLocation}/`)
    : e.keywordLocation.startsWith(`${alternative.keywordLocation}/`);
}

function likeliest(errors: readonly OutputUnit[], alternative: OutputUnit, schema: Schema): Leaf[] {
  const branches: OutputUnit[][] = [];
  let now = 0;
  for (const e of errors) {
    if (e.keyword !== 'false')
      now = Number(e.keywordLocation.slice(alternative.keywordLocation.length + 1).split('/')[0]);
    branches[now] ??= [];
    branches[now]?.push(e);
  }
  const all = branches.filter((b) => b).map((b) => leaves(b, schema));
  const at = parts(alternative.instanceLocation);
  const wrongType = (leaf: Leaf) => leaf.keyword === 'type' && leaf.at.length === at.length;
  const fits = all.filter((b) => !b.some(wrongType)).sort((a, b) => a.length - b.length);
  if (fits[0]) return fits[0];
  const kinds = all.flatMap((b) => b.filter(wrongType)).flatMap((leaf) => expected(leaf, schema));
  if (kinds.length === 0) return [];
  return [{ at, keyword: 'type', rule: [], error: kinds.join(' ') }];
}

/** expected gives the JSON types that a broken type rule allows. */
function expected(leaf: Leaf, schema: Schema): string[] {
  if (leaf.rule.length === 0) return leaf.error.split(' ');
  return [ruleAt(schema, leaf.rule)].flat().filter((t) => typeof t === 'string');
}

/** ruleAt follows a path through the schema and its references. */
function ruleAt(schema: Schema, path: readonly string[]): unknown {
  let now: unknown = schema;
  for (const part of path) {
    if (typeof now !== 'object' || now === null) return undefined;
    now = (now as Record<string, unknown>)[part];
    if (part === '$ref' && typeof now === 'string') now = ruleAt(schema, parts(now));
  }
  return now;
}

function valueAt(value: unknown, at: readonly string[]): unknown {
  let now = value;
  for (const part of at) {
    if (typeof now !== 'object' || now === null) return undefined;
    now = (now as Record<string, unknown>)[part];
  }
  return now;
}

/** excused tells whether the hub may see it another way: it fills in variables and reads numbers out of text. */
function excused(leaf: Leaf, value: unknown, schema: Schema): boolean {
  const is = valueAt(value, leaf.at);
  if (typeof is !== 'string' || leaf.keyword === 'unknown') return false;
  if (is.includes('$')) return true;
  if (leaf.keyword !== 'type') return false;
  const kinds = expected(leaf, schema);
  return (
    (kinds.includes('boolean') && /^(true|false|yes|no|on|off|y|n)$/i.test(is)) ||
    (kinds.some((k) => k === 'integer' || k === 'number') && is.trim() !== '' && !Number.isNaN(Number(is)))
  );
}

const kindWords: Record<string, string> = {
  object: 'a mapping (key: value)',
  array: 'a list (- item)',
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'empty',
};

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const or = (words: readonly string[]) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

const quoted = (at: readonly string[]) => (at.length === 0 ? 'The file' : at.join('.'));

function explain(leaf: Leaf, value: unknown, schema: Schema): Fault {
  const { at } = leaf;
  const name = quoted(at);
  const fault = (message: string, on: Fault['on'] = 'value'): Fault => ({ at, on, message });
  switch (leaf.keyword) {
    case 'unknown':
      return fault(unknownKey(leaf, schema), 'key');
    case 'type': {
      const kinds = [...new Set(expected(leaf, schema))].filter((k, _, all) => k !== 'null' || all.length === 1);
      const wanted = or(
        kinds.filter((k) => k !== 'integer' || !kinds.includes('number')).map((k) => kindWords[k] ?? k),
      );
      const is = kindOf(valueAt(value, at));
      if (is === 'null') return fault(`${name} has no value: it has to be ${wanted}.`, 'key');
      const hint = kinds.includes('string') && (is === 'number' || is === 'boolean') ? ' Put it into quotes.' : '';
      const begin = at.length === 0 ? ' A Compose file begins with services:' : '';
      return fault(`${name} has to be ${wanted}, and is ${kindWords[is] ?? is}.${hint}${begin}`);
    }
    case 'enum': {
      const words = [ruleAt(schema, leaf.rule)].flat().map(String);
      return fault(`${name} has to be ${or(words)}.`);
    }
    case 'required': {
      const missing = /"(.*)"/.exec(leaf.error)?.[1] ?? '';
      return fault(`${name} lacks “${missing}”.`, 'key');
    }
    case 'uniqueItems':
      return fault(`${name} has an item twice.`, 'key');
    case 'minimum':
    case 'maximum': {
      const bound = String(ruleAt(schema, leaf.rule));
      return fault(`${name} has to be ${leaf.keyword === 'minimum' ? 'at least' : 'at most'} ${bound}.`);
    }
    case 'pattern':
      return fault(`${name} does not have the right form.`);
    default:
      return fault(`${name} is not what the Compose schema allows (${leaf.keyword}).`);
  }
}

function unknownKey(leaf: Leaf, schema: Schema): string {
  const key = leaf.at.at(-1) ?? '';
  const where = leaf.at.length === 1 ? 'at the top of a Compose file' : `in ${quoted(leaf.at.slice(0, -1))}`;
  const owner = ruleAt(schema, leaf.rule.slice(0, -1)) as { properties?: Record<string, unknown> } | undefined;
  const known = Object.keys(owner?.properties ?? {});
  if (known.length === 0) return `“${key}” cannot be a name here: use letters, digits, . _ and -.`;
  const [near] = known
    .map((k) => ({ k, d: distance(k, key.toLowerCase()) }))
    .filter(({ k, d }) => d <= Math.min(2, Math.floor(k.length / 2)))
    .sort((a, b) => a.d - b.d);
  return near ? `There is no key “${key}” ${where}. Is “${near.k}” meant?` : `There is no key “${key}” ${where}.`;
}

/** distance counts the letters to put in, leave out or change to make b of a. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
