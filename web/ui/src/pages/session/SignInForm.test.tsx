import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

// A hub whose account has a second factor: the password alone is answered with the word second-factor.
const asked: { password: string; code?: string }[] = [];

beforeEach(() => {
  window.matchMedia ??= (query: string) =>
    ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }) as unknown as MediaQueryList;
  const Whole = Request; // a browser completes the address by that of its page
  vi.stubGlobal(
    'Request',
    class extends Whole {
      constructor(address: string, init?: RequestInit) {
        super(new URL(address, 'https://hub.example'), init);
      }
    },
  );
  vi.stubGlobal('fetch', async (request: Request) => {
    const body = await request.json();
    asked.push(body);
    return body.code === '123456'
      ? Response.json({ name: 'anna' })
      : Response.json({ status: 401, code: 'second-factor', detail: 'Give the code.' }, { status: 401 });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it('asks for the code when the password was right, and sends both', async () => {
  const { SignInForm } = await import('./SignInForm');
  const done = vi.fn();
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <SignInForm name="anna" done={done} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  expect(screen.queryByLabelText(/Code of your authenticator/)).toBeNull();
  fireEvent.change(screen.getByLabelText('Password'), { target: { value: 'a long one' } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
  fireEvent.change(await screen.findByLabelText(/Code of your authenticator/), { target: { value: ' 123456 ' } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
  await waitFor(() => expect(done).toHaveBeenCalled());
  expect(asked.at(-1)).toMatchObject({ username: 'anna', password: 'a long one', code: '123456' });
});
