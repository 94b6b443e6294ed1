import { type DraftFile, fileOf, limits, mainNames, wrongPath } from './files';

/** Chosen is a file that somebody picked or dropped, with its path. */
export interface Chosen {
  path: string;
  file: File;
}

/** Read is what became of chosen files. */
export interface Read {
  files: Map<string, DraftFile>;
  /** Sentences about those that were left out. */
  refused: string[];
}

/** chosenOf gives the files of an input; of a folder with the path inside it. */
export function chosenOf(list: FileList): Chosen[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** dropped gives the files that were dropped, those of folders too. */
export async function dropped(data: DataTransfer): Promise<Chosen[]> {
  // Entries have to be taken at once; later the list is empty.
  const entries = [...data.items].map((i) => i.webkitGetAsEntry()).filter((e) => e !== null);
  const out: Chosen[] = [];
  for (const e of entries) await walk(e, out);
  return out;
}

async function walk(entry: FileSystemEntry, out: Chosen[]): Promise<void> {
  if (out.length > limits.files) return;
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    out.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return;
    for (const e of some) await walk(e, out);
  }
}

/** rooted leaves out the folder that all files are in when that is the stack's own: a Compose file lies in it. */
export function rooted(chosen: readonly Chosen[]): Chosen[] {
  const root = chosen[0]?.path.split('/')[0] ?? '';
  const own =
    chosen.every((c) => c.path.startsWith(`${root}/`)) &&
    chosen.some((c) => mainNames.some((n) => c.path === `${root}/${n}`));
  return own ? chosen.map((c) => ({ ...c, path: c.path.slice(root.length + 1) })) : [...chosen];
}

/** read reads chosen files that a stack can have beside others. */
export async function read(chosen: readonly Chosen[], others: Iterable<string>): Promise<Read> {
  const out: Read = { files: new Map(), refused: [] };
  const there = [...others];
  for (const { path, file } of rooted(chosen)) {
    if (out.files.size >= limits.files) {
      out.refused.push('There are more files than the 1,024 that a stack may have.');
      break;
    }
    const wrong = wrongPath(
      path,
      there.filter((o) => o !== path),
    );
    if (wrong) out.refused.push(`${path}: ${wrong}`);
    else if (file.size > limits.file) {
      out.refused.push(`${path} has ${(file.size / (1 << 20)).toFixed(1)} MiB; a file may have 8 MiB.`);
    } else out.files.set(path, fileOf(new Uint8Array(await file.arrayBuffer())));
  }
  return out;
}
