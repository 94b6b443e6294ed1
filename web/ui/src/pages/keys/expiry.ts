/** Times that an edge key is often good for. */
export const presets = [
  { value: '1h', label: 'one hour', hours: 1 },
  { value: '24h', label: 'one day', hours: 24 },
  { value: '7d', label: 'one week', hours: 7 * 24 },
  { value: '30d', label: '30 days', hours: 30 * 24 },
  { value: '365d', label: 'one year', hours: 365 * 24 },
  { value: 'never', label: 'never', hours: 0 },
  { value: 'at', label: 'at a time that I give', hours: 0 },
] as const;

/** expiryOf gives the time at which the key expires, RFC 3339; undefined: never. `at` is local, as browsers give it. */
export function expiryOf(preset: string, at: string, now: number): { expires?: string } | { wrong: string } {
  if (preset === 'at') {
    const given = new Date(at);
    if (Number.isNaN(given.getTime())) return { wrong: 'Give a date and a time.' };
    if (given.getTime() <= now) return { wrong: 'This is in the past.' };
    return { expires: given.toISOString() };
  }
  const hours = presets.find((p) => p.value === preset)?.hours ?? 0;
  return hours ? { expires: new Date(now + hours * 3600_000).toISOString() } : {};
}

/** wholeNumber reads a number of devices; '' is 0. */
export function wholeNumber(text: string): { n: number } | { wrong: string } {
  const t = text.trim();
  if (t === '') return { n: 0 };
  return /^\d{1,9}$/.test(t) ? { n: Number(t) } : { wrong: 'Give a whole number.' };
}

/** listOf reads patterns or networks, apart by commas or line ends. */
export function listOf(text: string): string[] {
  return text
    .split(/[,\n]/)
    .map((p) => p.trim())
    .filter(Boolean);
}
