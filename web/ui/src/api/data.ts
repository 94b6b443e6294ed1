// What the API says of the data economy, until its client is generated with it.

import { prefix } from './client';
import { problemOf } from './problem';

export interface Estimate {
  devices: number;
  total: number;
  largest: number;
  median: number;
  cost: { currency: string; amount: string }[];
  seconds: { largest: number; unknown: number };
  over: { device: string; name: string; need: number; left: number }[];
  over_count: number;
  parts: { files: number; images: number; overhead: number };
  images: { image: string; platform?: string; bytes: number; layers?: number; source: string; why?: string }[];
  notes: string[];
}

export interface RolloutData {
  estimate: number;
  estimated: number;
  actual: number;
  reported: number;
}

/** ask asks the hub for what is not in the generated client yet. */
export async function ask<T>(
  method: string,
  path: string,
  o: { body?: unknown; signal?: AbortSignal; etag?: string } = {},
): Promise<T> {
  const answer = await fetch(`${prefix}/api/v1/${path}`, {
    method,
    signal: o.signal ?? null,
    headers: {
      'X-Farshore': '1',
      ...(o.etag !== undefined && { 'If-Match': `"${o.etag}"` }),
      ...(o.body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(o.body !== undefined && { body: JSON.stringify(o.body) }),
  });
  const body = answer.status === 204 ? undefined : await answer.json().catch(() => undefined);
  if (!answer.ok) throw problemOf(answer.status, body);
  return body as T;
}
