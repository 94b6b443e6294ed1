import { describe, expect, it } from 'vitest';
import {
  bundleOf,
  bytesOf,
  type DraftFile,
  fileOf,
  filesOf,
  sameFile,
  sizeOf,
  sorted,
  tooMuch,
  wrongPath,
} from './files';
import { type Chosen, rooted } from './upload';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('files', () => {
  it('gives back what it read, byte by byte', () => {
    const samples = ['', 'a: b\n', 'a\r\nb\r\n', 'a\r\nb\n', 'a\rb', '\ufeffa: ü\n', 'a\r\nü\r\n'].map(utf8);
    samples.push(new Uint8Array([0, 1, 2]), new Uint8Array([0xff, 0xfe]));
    for (const bytes of samples) {
      const file = fileOf(bytes);
      expect([...bytesOf(file)]).toEqual([...bytes]);
      expect(sizeOf(file)).toBe(bytes.length);
    }
  });

  it('edits Windows text with plain line ends, and leaves alone what is not text', () => {
    expect(fileOf(utf8('a\r\nb\r\n'))).toEqual({ content: 'a\nb\n', crlf: true });
    expect(fileOf(new Uint8Array([137, 80, 78, 71])).content).toBeInstanceOf(Uint8Array);
    expect(sameFile({ content: 'a\n', crlf: true }, { content: 'a\n' })).toBe(false);
  });

  it('keeps any name through the form of the API', () => {
    const files = new Map<string, DraftFile>([
      ['__proto__', { content: 'x' }],
      ['compose.yml', { content: 'services: {}\n' }],
    ]);
    expect([...filesOf(JSON.parse(JSON.stringify(bundleOf(files))))]).toEqual([...files]);
  });

  it('says which names the hub would refuse', () => {
    for (const path of [
      '',
      '/a',
      '../a',
      'a//b',
      'a/',
      './a',
      'a\\b',
      'a\tb',
      'x'.repeat(256),
      'conf',
      'env/x',
      'env',
    ]) {
      expect(wrongPath(path, ['env', 'conf/a']), path).toBeTypeOf('string');
    }
    for (const path of ['a', '.env', 'conf/b', 'ü/ß', '..a'])
      expect(wrongPath(path, ['env', 'conf/a'])).toBeUndefined();
  });

  it('says what is too large', () => {
    expect(tooMuch(new Map([['big', { content: new Uint8Array((8 << 20) + 1) }]]))[0]).toContain('big has 8.0 MiB');
    expect(tooMuch(new Map([['fits', { content: new Uint8Array(8 << 20) }]]))).toEqual([]);
  });

  it('lists the main file first and folders last', () => {
    const names = ['z/a', 'b.env', 'compose.yml', 'a.env', 'a/b'];
    expect(sorted(new Map(names.map((n) => [n, { content: '' }])))).toEqual([
      'compose.yml',
      'a.env',
      'b.env',
      'a/b',
      'z/a',
    ]);
  });

  it('takes a folder with a Compose file as the stack itself', () => {
    const chosen = (...paths: string[]): Chosen[] => paths.map((path) => ({ path, file: new File([], 'x') }));
    expect(rooted(chosen('web/compose.yml', 'web/conf/a')).map((c) => c.path)).toEqual(['compose.yml', 'conf/a']);
    expect(rooted(chosen('conf/a', 'conf/b')).map((c) => c.path)).toEqual(['conf/a', 'conf/b']);
  });
});
