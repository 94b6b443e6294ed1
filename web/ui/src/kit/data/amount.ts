const sizes: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** amountOf reads an amount of data as people type it: "5 MB", "1.5GB", "500 000". undefined: it is none. */
export function amountOf(text: string): number | undefined {
  const m = /^(\d+(?:[.,]\d+)?)([a-z]*)$/.exec(text.toLowerCase().replace(/[\s_’']/g, ''));
  const size = m && sizes[m[2] ?? ''];
  if (!m || !size) return undefined;
  const n = Math.round(Number((m[1] ?? '').replace(',', '.')) * size);
  return Number.isSafeInteger(n) ? n : undefined;
}

/** amountText writes an amount as it is typed, without losing a byte: "5 MB", "1.25 GB", "1234567 B". '': none. */
export function amountText(n: number | undefined): string {
  if (!n) return '';
  for (const [unit, size] of [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (n >= size && (n * 1000) % size === 0) return `${n / size} ${unit}`;
  }
  return `${n} B`;
}

/** wrongAmount says what is wrong with an amount that was typed; empty is none. */
export function wrongAmount(text: string): string | undefined {
  return text.trim() === '' || amountOf(text) !== undefined ? undefined : 'Give an amount such as 5 MB or 1.5 GB.';
}
