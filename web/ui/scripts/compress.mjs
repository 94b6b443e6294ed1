// The last step of the build: what gets smaller by compression is kept only compressed, by brotli for browsers and by
// gzip for everybody else. The hub serves either, and unpacks the latter for whoever reads neither. Pages stay as they
// are, because the hub writes into them.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = join(import.meta.dirname, '../../dist');
const small = 1024; // bytes: below that, headers weigh more than what is saved
const worthIt = 0.9; // of a file's size: what stays above that, pictures and fonts, was compressed before

// scripts/console.sh says in it what it has built from; this build may be of something else.
rmSync(join(folder, '.built-from'), { force: true });

const total = { files: 0, built: 0, brotli: 0, gzip: 0 };

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.name.startsWith('.')) continue;
  const path = join(entry.parentPath, entry.name);
  const content = readFileSync(path);
  const smaller = entry.name.endsWith('.html') || content.length < small ? null : compress(content);
  if (smaller) {
    writeFileSync(`${path}.br`, smaller.brotli);
    writeFileSync(`${path}.gz`, smaller.gzip);
    rmSync(path);
  }
  total.files += 1;
  total.built += content.length;
  total.brotli += (smaller?.brotli ?? content).length;
  total.gzip += (smaller?.gzip ?? content).length;
}

const kB = (bytes) => `${Math.round(bytes / 1000)} kB`;
process.stdout.write(
  `console: ${total.files} files, ${kB(total.built)}; ${kB(total.brotli)} by brotli, ${kB(total.gzip)} by gzip\n`,
);

function compress(content) {
  const gzip = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
  if (gzip.length > content.length * worthIt) return null;
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  return { gzip, brotli: brotliCompressSync(content, { params }) }; // the best quality is brotli's default
}
