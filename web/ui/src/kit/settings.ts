import type { Schemas } from '../api/client';
import { count } from './bytes';
import { everyInWords, wrongFrequency } from './frequency';
import { span } from './time';

export type Settings = Schemas['Settings'];
export type SettingsField = keyof Settings;
/** Settings as they are typed. Empty: inherited. */
export type SettingsText = Record<SettingsField, string>;

/** What the settings are called, in the order in which they are shown. */
export const settingNames: Record<SettingsField, string> = {
  ping: 'Ping',
  snapshot: 'Snapshot',
  command: 'Commands',
  chunk_bytes: 'Chunk of files',
  connect_timeout_seconds: 'Connect timeout',
  exchange_timeout_seconds: 'Exchange timeout',
  key_exchange: 'Key exchange',
};

export const settingFields = Object.keys(settingNames) as SettingsField[];

/** short writes a frequency as people type it: 20m, not 20m0s. Others stay as they are. */
export function short(frequency: string): string {
  return frequency.replace(/(?<=[hm])0s$/, '').replace(/(?<=h)0m$/, '');
}

/** inWords says what a setting means. An empty text: nothing is set. */
export function inWords(field: SettingsField, value: string | number | undefined): string {
  const text = String(value ?? '');
  if (text === '' || text === '0') return '';
  switch (field) {
    case 'ping':
    case 'snapshot':
    case 'command':
      return everyInWords(text, field);
    case 'chunk_bytes':
      return `at most ${count(Number(text), 'byte')} in a message`;
    case 'connect_timeout_seconds':
    case 'exchange_timeout_seconds':
      return span(Number(text));
    case 'key_exchange':
      return (
        { hybrid: 'hybrid: safe against quantum computers', classic: 'classic: fewer bytes for each connection' }[
          text
        ] ?? text
      );
  }
}

/** settingsText writes settings as they are typed. */
export function settingsText(settings: Settings | undefined): SettingsText {
  return Object.fromEntries(settingFields.map((f) => [f, short(String(settings?.[f] ?? ''))])) as SettingsText;
}

const bounds: Partial<Record<SettingsField, [number, number, string]>> = {
  chunk_bytes: [256, 16384, 'bytes'],
  connect_timeout_seconds: [5, 3600, 'seconds'],
  exchange_timeout_seconds: [5, 3600, 'seconds'],
};

/** wrongSetting says what is wrong with what was typed. */
export function wrongSetting(field: SettingsField, text: string): string | undefined {
  const typed = text.trim();
  if (typed === '') return undefined;
  if (field === 'key_exchange') return ['hybrid', 'classic'].includes(typed) ? undefined : 'Choose hybrid or classic.';
  const bound = bounds[field];
  if (bound) {
    const n = Number(typed);
    const [least, most, unit] = bound;
    return /^\d+$/.test(typed) && n >= least && n <= most
      ? undefined
      : `Give ${count(least)} to ${count(most)} ${unit}.`;
  }
  return wrongFrequency(typed, field as 'ping' | 'snapshot' | 'command');
}

/** settingsFrom reads what was typed, which wrongSetting had nothing against. */
export function settingsFrom(text: Record<string, string>): Settings {
  const out: Record<string, string | number> = {};
  for (const f of settingFields) {
    const typed = (text[f] ?? '').trim();
    if (typed !== '') out[f] = bounds[f] ? Number(typed) : typed;
  }
  return out;
}
