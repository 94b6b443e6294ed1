import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { sessionQuery } from '../api/queries';
import { May } from './May';

afterEach(cleanup);

it('shows what one may do somewhere, and nothing else', () => {
  const cache = new QueryClient();
  cache.setQueryData(sessionQuery.queryKey, { name: 'anna', operations: ['keys.read'] } as never);
  render(
    <QueryClientProvider client={cache}>
      <May operation="keys.read">Edge keys</May>
      <May operation="keys.create">New edge key</May>
    </QueryClientProvider>,
  );
  expect(screen.queryByText(/Edge keys/)).not.toBeNull();
  expect(screen.queryByText(/New edge key/)).toBeNull();
});
