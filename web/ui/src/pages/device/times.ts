/** at gives the place of the last of the times (oldest first) that is not after t; -1: all are. */
export function at(times: readonly string[], t: string): number {
  const ms = Date.parse(t);
  let i = times.length - 1;
  while (i >= 0 && Date.parse(times[i] as string) > ms) i--;
  return i;
}

/** localField writes a time for a field of date and time, in the reader's zone; '' where there is none. */
export function localField(t: string | undefined): string {
  const d = t ? new Date(t) : undefined;
  if (!d || Number.isNaN(d.getTime())) return '';
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${day}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** fromField reads such a field; undefined: it holds no time. */
export function fromField(text: string): string | undefined {
  const d = new Date(text);
  return text === '' || Number.isNaN(d.getTime()) ? undefined : d.toISOString().replace('.000Z', 'Z');
}
