const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** bytes writes a number of bytes with a unit, in powers of 1,000: "1.2 MB". */
export function bytes(n: number | undefined): string {
  if (n === undefined || !Number.isFinite(n)) return '–';
  let size = Math.abs(n);
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1;
  return `${n < 0 ? '-' : ''}${size.toFixed(digits)} ${units[unit]}`;
}

const whole = new Intl.NumberFormat('en');

/** count writes a number with thousands apart, and the word in one or many. */
export function count(n: number, one?: string, many = `${one}s`): string {
  const text = whole.format(n);
  return one === undefined ? text : `${text} ${n === 1 ? one : many}`;
}
