import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

// A hub that gives the secret of a second factor to who knows the password.
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
  vi.stubGlobal('fetch', async (request: Request) =>
    (await request.json()).password === 'a long one'
      ? Response.json({ secret: 'GEZDGNBV', url: 'otpauth://totp/Farshore:anna?secret=GEZDGNBV' })
      : Response.json({ status: 403, detail: 'not allowed: the password is wrong' }, { status: 403 }),
  );
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it('begins with the password', async () => {
  const { FactorSetup } = await import('./FactorSetup');
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <FactorSetup done={() => {}} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const begin = (password: string) => {
    fireEvent.change(screen.getByLabelText('Your password'), { target: { value: password } });
    fireEvent.click(screen.getByRole('button', { name: 'Set up a second factor' }));
  };
  begin('somebody else');
  expect(await screen.findByText(/the password is wrong/)).toBeTruthy();
  expect(screen.queryByText('GEZDGNBV')).toBeNull();
  begin('a long one');
  expect(await screen.findByText('GEZDGNBV')).toBeTruthy();
});
