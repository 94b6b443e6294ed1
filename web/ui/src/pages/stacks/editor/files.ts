import { fromBase64, toBase64 } from './base64';

/** DraftFile is a file of a bundle as it is edited. Text has \n line ends here; crlf says that the file has \r\n. */
export interface DraftFile {
  readonly content: string | Uint8Array<ArrayBuffer>;
  readonly crlf?: boolean;
}

/** Files of a bundle by path. */
export type Files = ReadonlyMap<string, DraftFile>;

/** What the hub takes of one file, of all files together, and how many. */
export const limits = { file: 8 << 20, bundle: 32 << 20, files: 1024 } as const;

/** The names of a stack's main file; the first that is there counts. */
export const mainNames = ['compose.yml', 'compose.yaml', 'docker-compose.yml', 'docker-compose.yaml'] as const;

/** mainFile gives the path of the file that says what the services are. */
export function mainFile(files: Files): string | undefined {
  return mainNames.find((n) => files.has(n));
}

/** isYaml tells whether a file is coloured and checked as YAML. */
export function isYaml(path: string): boolean {
  return /\.ya?ml$/i.test(path);
}

/** fileOf reads the bytes of a file: as text where all of it is text, or else untouched. */
export function fileOf(bytes: Uint8Array<ArrayBuffer>): DraftFile {
  if (bytes.includes(0)) return { content: bytes };
  let text: string;
  try {
    // ignoreBOM: a mark at the beginning is part of the file and stays.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { content: bytes };
  }
  if (!text.includes('\r')) return { content: text };
  const plain = text.replaceAll('\r\n', '\n');
  // A file that has both kinds, or single \r, keeps each until somebody types in it.
  const mixed = plain.includes('\r') || plain.length + lines(plain) !== text.length;
  return mixed ? { content: text } : { content: plain, crlf: true };
}

/** bytesOf gives a file as it is sent. */
export function bytesOf(file: DraftFile): Uint8Array<ArrayBuffer> {
  if (typeof file.content !== 'string') return file.content;
  return new TextEncoder().encode(file.crlf ? file.content.replaceAll('\n', '\r\n') : file.content);
}

/** sizeOf gives the bytes of a file as it is sent. */
export function sizeOf(file: DraftFile): number {
  if (typeof file.content !== 'string') return file.content.length;
  let size = file.content.length;
  // Most files are small or ASCII; what is neither is counted by encoding it.
  if (/[^\0-\x7f]/.test(file.content)) size = new TextEncoder().encode(file.content).length;
  return size + (file.crlf ? lines(file.content) : 0);
}

function lines(text: string): number {
  let n = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) n++;
  return n;
}

/** sameFile tells whether two files are the same, byte by byte. */
export function sameFile(a: DraftFile | undefined, b: DraftFile | undefined): boolean {
  if (!a || !b) return a === b;
  if (typeof a.content === 'string' && typeof b.content === 'string') {
    return a.content === b.content && !a.crlf === !b.crlf;
  }
  const [x, y] = [bytesOf(a), bytesOf(b)];
  return x.length === y.length && x.every((v, i) => v === y[i]);
}

/** filesOf reads the files of a version. */
export function filesOf(bundle: Record<string, string>): Files {
  return new Map(Object.entries(bundle).map(([path, content]) => [path, fileOf(fromBase64(content))]));
}

/** bundleOf gives files as the API takes them. */
export function bundleOf(files: Files): Record<string, string> {
  return Object.fromEntries([...files].map(([path, file]) => [path, toBase64(bytesOf(file))]));
}

/** sorted gives paths as the tree shows them: the main file first, then what is in folders after what is beside it. */
export function sorted(files: Files): string[] {
  const main = mainFile(files);
  const depth = (p: string) => p.split('/').length;
  return [...files.keys()].sort((a, b) => {
    if (a === main || b === main) return a === main ? -1 : 1;
    return Math.sign(Math.min(depth(a), 2) - Math.min(depth(b), 2)) || a.localeCompare(b);
  });
}

/** wrongPath says what is wrong with a path, as the hub would. */
export function wrongPath(path: string, others: Iterable<string>): string | undefined {
  if (path === '') return 'Give it a name.';
  if (new TextEncoder().encode(path).length > 255) return 'Use at most 255 bytes.';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
  if (/[\0-\x1f\x7f\\]/.test(path)) return 'Use no backslashes and no control characters; folders are apart by /.';
  if (path.startsWith('/')) return 'Begin without a /: it is inside the bundle.';
  if (path.split('/').some((p) => p === '' || p === '.' || p === '..')) {
    return 'Use a plain path such as conf/app.ini, without empty parts, . or ..';
  }
  for (const other of others) {
    if (other === path) return 'There is a file of this name.';
    if (other.startsWith(`${path}/`)) return `${path} is a folder here.`;
    if (path.startsWith(`${other}/`)) return `${other} is a file here, and cannot be a folder too.`;
  }
  return undefined;
}

const mib = (n: number) => `${(n / (1 << 20)).toFixed(1)} MiB`;

/** What the hub writes in the place of a value that a reader may not see. */
const mask = 'MASKED-BY-FARSHORE';

/** maskedFiles lists the files in which values are hidden. The hub takes none of them. */
export function maskedFiles(files: Files): string[] {
  return sorted(files).filter((path) => {
    const content = files.get(path)?.content;
    return typeof content === 'string' && content.includes(mask);
  });
}

/** tooMuch says which limits of the hub the files go beyond. */
export function tooMuch(files: Files): string[] {
  const wrong: string[] = [];
  let all = 0;
  for (const [path, file] of files) {
    const size = sizeOf(file);
    all += size;
    if (size > limits.file) {
      wrong.push(`${path} has ${mib(size)}; a file may have 8 MiB. Large data belongs in an image.`);
    }
  }
  if (all > limits.bundle) {
    wrong.push(`All files have ${mib(all)}; a stack may have 32 MiB. Large data belongs in an image.`);
  }
  if (files.size > limits.files) wrong.push(`These are ${files.size} files; a stack may have 1,024.`);
  return wrong;
}
