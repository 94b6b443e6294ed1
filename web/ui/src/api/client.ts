import createClient from 'openapi-fetch';
import { type Problem, problemOf } from './problem';
import type { components, paths } from './schema';

/** The API's resources by name, as the hub's OpenAPI document has them. */
export type Schemas = components['schemas'];

/** The path below which the console is served: '' at the root, or such as '/farshore' behind a proxy. */
export const prefix = new URL('.', document.baseURI).pathname.replace(/\/$/, '');

/** The hub's API. Each call resolves to {data} or {error}: wrap it in ok() to get the data or a thrown Problem. */
export const api = createClient<paths>({
  baseUrl: prefix,
  // Only the hub's own pages can set it: that is how the hub knows that no other site made the browser ask.
  headers: { 'X-Farshore': '1' },
  querySerializer: { array: { style: 'form', explode: false } },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** ok gives what was answered. It throws a Problem where the hub refused, or did not answer. */
export async function ok<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch (cause) {
    throw unreachable(cause);
  }
  if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
  return answer.data as T;
}

function unreachable(cause: unknown): Problem {
  if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
  return problemOf(0, {
    title: 'No answer',
    detail: 'The hub did not answer. Check this computer’s network; the console goes on trying.',
  });
}
