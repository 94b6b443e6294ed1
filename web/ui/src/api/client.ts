import createClient from 'openapi-fetch';
import { problemOf } from './problem';
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

api.use({
  onError: ({ request, error }) => {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    const next =
      request.method === 'GET'
        ? 'The console goes on trying.'
        : 'It may have been done all the same: look before you try again.';
    const detail = `The hub did not answer. Check this computer’s network. ${next}`;
    return problemOf(0, { title: 'No answer', detail });
  },
});

/** onSignedOut calls lost whenever the hub does not know any more who asks. Signing in is refused in the same way, and is not meant. */
export function onSignedOut(lost: () => void): void {
  api.use({
    onResponse: ({ request, response, schemaPath }) => {
      const signingIn = request.method === 'POST' && schemaPath.startsWith('/api/v1/session');
      if (response.status === 401 && !signingIn) lost();
      return undefined;
    },
  });
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** ok gives what was answered. It throws a Problem where the hub refused, or did not answer. */
export async function ok<T>(asked: Promise<Answer<T>>): Promise<T> {
  const answer = await asked;
  if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
  return answer.data as T;
}
