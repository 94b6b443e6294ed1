import { span } from './time';

const units: Record<string, number> = { h: 3600, m: 60, s: 1 };
const form = /^(\d+(\.\d+)?[hms])+$/;

/** How often something may be: from a second to 400 days. */
const most = 400 * 24 * 3600;

/** secondsOf reads a duration such as 1h30m or 60s, as the API writes them. undefined: it is none. */
export function secondsOf(text: string): number | undefined {
  if (!form.test(text)) return undefined;
  let seconds = 0;
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)([hms])/g)) seconds += Number(n) * (units[unit ?? ''] ?? 0);
  return seconds;
}

/** Settings that are frequencies. */
export type FrequencyOf = 'ping' | 'snapshot' | 'command';

/** everyInWords says how often something happens: "each 20 min", "off", "at once". '': it is not set. */
export function everyInWords(frequency: string | undefined, of: FrequencyOf): string {
  if (!frequency) return '';
  if (frequency === 'off') return of === 'command' ? 'only when a session begins' : 'off';
  if (frequency === 'push' || frequency === 'change') return of === 'snapshot' ? 'when something changes' : 'at once';
  const seconds = secondsOf(frequency);
  return seconds === undefined ? frequency : `each ${span(seconds)}`;
}

/** wrongFrequency says what is wrong with what somebody typed; undefined: nothing. */
export function wrongFrequency(text: string, of: FrequencyOf): string | undefined {
  if (text === '' || text === 'off') return undefined;
  if (text === 'push' || text === 'change') {
    return of === 'ping' ? 'Pings cannot be pushed: use a duration such as 60s, or off.' : undefined;
  }
  const seconds = secondsOf(text);
  if (seconds === undefined) {
    return `Use a duration such as 60s, 5m or 1h30m, or off${of === 'ping' ? '' : ', or push'}.`;
  }
  return seconds < 1 || seconds > most ? 'Use 1s to 9600h (400 days).' : undefined;
}
