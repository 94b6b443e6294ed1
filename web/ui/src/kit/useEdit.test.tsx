import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, renderHook, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, expect, it } from 'vitest';
import { problemOf } from '../api/problem';
import type { Fields } from './merge';
import { useEdit } from './useEdit';

interface Thing {
  etag: string;
  fields: Fields;
}

/** Hub keeps one thing, as the hub does: what is saved needs its present etag. */
class Hub {
  now: Thing = { etag: '1', fields: { ping: '5m', labels: 'a=1' } };
  save = async (fields: Fields, etag: string) => {
    if (etag !== this.now.etag) throw problemOf(412, { code: 'changed', detail: 'Kari was first.' });
    this.now = { etag: String(Number(etag) + 1), fields };
    return this.now;
  };
}

afterEach(cleanup);

function edit(hub: Hub) {
  const cache = new QueryClient();
  return renderHook(
    ({ thing }) =>
      useEdit({
        thing,
        etagOf: (t) => t.etag,
        fieldsOf: (t) => t.fields,
        names: { ping: 'Ping' },
        save: hub.save,
        read: async () => hub.now,
      }),
    {
      initialProps: { thing: hub.now },
      wrapper: ({ children }: { children: ReactNode }) => (
        <QueryClientProvider client={cache}>{children}</QueryClientProvider>
      ),
    },
  );
}

it('takes over what is refreshed, until something is typed', () => {
  const { result, rerender } = edit(new Hub());
  rerender({ thing: { etag: '2', fields: { ping: '6m', labels: '' } } });
  expect(result.current.fields).toEqual({ ping: '6m', labels: '' });
  act(() => result.current.set('ping', '7m'));
  rerender({ thing: { etag: '3', fields: { ping: '8m', labels: 'b=2' } } });
  expect(result.current.fields.ping).toBe('7m');
});

it('tells the second of two, and puts mine on top of theirs', async () => {
  const hub = new Hub();
  const { result } = edit(hub);
  act(() => result.current.set('ping', '7m'));
  await hub.save({ ping: '6m', labels: 'kari=1' }, '1');
  act(() => result.current.save());
  await waitFor(() =>
    expect(result.current.conflict?.differences).toEqual([{ field: 'Ping', mine: '7m', theirs: '6m' }]),
  );
  expect(result.current.fields.ping).toBe('7m');
  act(() => result.current.conflict?.takeMine());
  await waitFor(() => expect(result.current.dirty).toBe(false));
  expect(hub.now.fields).toEqual({ ping: '7m', labels: 'kari=1' });
  expect(result.current.conflict).toBeUndefined();
});

it('takes theirs, and can be saved again after', async () => {
  const hub = new Hub();
  const { result } = edit(hub);
  act(() => result.current.set('ping', '7m'));
  await hub.save({ ping: '6m', labels: 'kari=1' }, '1');
  act(() => result.current.save());
  await waitFor(() => expect(result.current.conflict).toBeDefined());
  act(() => result.current.conflict?.takeTheirs());
  await waitFor(() => expect(result.current.conflict).toBeUndefined());
  expect(result.current.fields).toEqual({ ping: '6m', labels: 'kari=1' });
  act(() => result.current.set('labels', ''));
  act(() => result.current.save());
  await waitFor(() => expect(hub.now.fields).toEqual({ ping: '6m', labels: '' }));
});
