import type { Schemas } from '../../api/client';
import type { Fields } from '../../kit/merge';

/** fieldsOf gives the settings of signing in as they are typed: the life of a session in hours. */
export function fieldsOf(s: Schemas['AccessSettings']): Fields {
  return {
    hours: String(s.session_seconds / 3600),
    password: String(s.min_password),
    factor: s.second_factor,
  };
}

/** settingsOf gives what the API takes. */
export function settingsOf(f: Fields): Schemas['AccessSettings'] {
  return {
    session_seconds: Math.round(Number(f.hours) * 3600),
    min_password: Number(f.password),
    second_factor: f.factor as Schemas['AccessSettings']['second_factor'],
  };
}

/** wrong says what cannot be saved, by field. */
export function wrong(f: Fields): { hours?: string; password?: string } {
  const out: ReturnType<typeof wrong> = {};
  const hours = Number(f.hours);
  if (f.hours === '' || !(hours >= 0.25 && hours <= 720)) out.hours = 'From 0.25 (a quarter of an hour) to 720 hours.';
  const password = Number(f.password);
  if (!(Number.isInteger(password) && password >= 12 && password <= 128)) out.password = 'From 12 to 128 characters.';
  return out;
}
