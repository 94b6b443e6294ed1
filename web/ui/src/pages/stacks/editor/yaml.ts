import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLError,
} from 'yaml';
import { faultsOf, type Schema } from './compose';
import type { Mark } from './mark';

// So many marks are enough to begin with.
const most = 100;

/** What the text is to be: any YAML, or a Compose file, which follows the schema. */
export interface Rules {
  schema?: Schema;
}

/** checkYaml says what is wrong with a text: its YAML, and where there is a schema, what it says. */
export function checkYaml(text: string, { schema }: Rules): Mark[] {
  if (text.trim() === '') {
    return schema ? [{ from: 0, to: 0, severity: 'error', message: 'The file is empty: begin with services:' }] : [];
  }
  const docs = parseAllDocuments(text, { merge: true, uniqueKeys: true, prettyErrors: false, logLevel: 'silent' });
  const marks = docs.flatMap((doc) => doc.errors.map((e) => syntaxMark(text, e)));
  if (marks.length === 0 && schema) {
    for (const doc of docs) marks.push(...schemaMarks(doc, schema));
  }
  // An application may fill in its own YAML before it reads it, so only Compose files have to be right.
  const severity = schema ? 'error' : 'warning';
  const seen = new Set<string>();
  return marks
    .filter((m) => {
      const key = `${m.from} ${m.message}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => a.from - b.from)
    .slice(0, most)
    .map((m) => ({ ...m, severity }));
}

const sentences: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'YAML cannot be indented with tabs: use spaces.',
  BAD_INDENT: 'The indentation does not fit: entries of one mapping or list begin in the same column.',
  MULTILINE_IMPLICIT_KEY:
    'This is not a key with a value: a colon and a space are missing, or the line is indented wrongly.',
  BLOCK_AS_IMPLICIT_KEY:
    'A key stands where a value is: put the value into quotes, or mend the indentation of the lines around it.',
  BAD_SCALAR_START: 'A value cannot begin with this character: put it into quotes.',
  BAD_DQ_ESCAPE: 'This is no escape in double quotes: write \\\\ for a backslash, or use single quotes.',
  MULTIPLE_ANCHORS: 'A value can have one anchor (&) only.',
  MULTIPLE_TAGS: 'A value can have one tag (!) only.',
  KEY_OVER_1024_CHARS: 'The key is too long: at most 1,024 characters. Is a colon missing before?',
  BLOCK_IN_FLOW: 'Inside { } and [ ] everything is written in brackets and with commas.',
};

function syntaxMark(text: string, e: YAMLError): Mark {
  const from = Math.min(e.pos[0], text.length);
  const mark = (message: string, to = Math.max(e.pos[1], from + 1)): Mark => ({
    from,
    to: Math.min(to, text.length),
    severity: 'error',
    message,
  });
  if (e.code === 'DUPLICATE_KEY') {
    const key = /^["']?([^:\n"']*)/.exec(text.slice(from, from + 200))?.[1] ?? '';
    return mark(`“${key}” is here twice: give one of them another name, or remove it.`, from + Math.max(1, key.length));
  }
  if (e.message.startsWith('Flow ') || (e.code === 'MISSING_CHAR' && e.message.includes('quote'))) {
    return mark('A bracket or a quote that was opened before this is not closed.');
  }
  const known = sentences[e.code];
  if (known) return mark(known);
  return mark(`This is not well-formed YAML. ${e.message.split('\n', 1)[0]?.slice(0, 200)}`);
}

function schemaMarks(doc: Document.Parsed, schema: Schema): Mark[] {
  const lost: Mark[] = [];
  visit(doc, {
    Alias(_, node) {
      if (!node.resolve(doc)) {
        const [from, to] = node.range ?? [0, 0];
        lost.push({ from, to, severity: 'error', message: `There is no anchor &${node.source} above this.` });
      }
    },
    // What is reset or overridden follows rules of its own.
    Pair(_, pair) {
      const tag = (pair.value as Node | null)?.tag;
      return tag === '!reset' || tag === '!override' ? visit.REMOVE : undefined;
    },
  });
  if (lost.length > 0) return lost;
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: 1000 });
  } catch {
    return [{ from: 0, to: 1, severity: 'error', message: 'Its aliases (*) expand to too much: use fewer.' }];
  }
  return faultsOf(value, schema).map((f) => ({ ...place(doc, f.at, f.on), severity: 'error', message: f.message }));
}

/** place finds where a value stands, or the key of it. What a merge brought in is marked where the merge is. */
function place(doc: Document.Parsed, at: readonly string[], on: 'key' | 'value'): { from: number; to: number } {
  let node: Node | null | undefined = doc.contents;
  let pair: Pair<Node, Node | null> | undefined;
  for (const part of at) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap<Node, Node | null>(node)) {
      const found: Pair<Node, Node | null> | undefined = node.items.find(
        (p) => isScalar(p.key) && String(p.key.value) === part,
      );
      if (!found) break;
      pair = found;
      node = found.value;
    } else if (isSeq<Node>(node)) {
      node = node.items[Number(part)];
      if (!node) break;
      pair = undefined;
    } else break;
  }
  const whole = isScalar(node) && node.range && node.range[1] > node.range[0] && on === 'value';
  const range = whole ? node?.range : (pair?.key.range ?? node?.range);
  if (!range) return { from: 0, to: 1 };
  return { from: range[0], to: isScalar(node) || pair ? range[1] : range[0] + 1 };
}
