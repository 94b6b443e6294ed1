import { MantineProvider } from '@mantine/core';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from '@tanstack/react-router';
import { act, cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { Leaving } from './Leaving';

beforeAll(() => {
  window.matchMedia ??= (query) =>
    ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }) as unknown as MediaQueryList;
});
afterEach(cleanup);

/** open shows a page with something typed, which belongs to ?path=a, below the prefix of a proxy. */
async function open() {
  const root = createRootRoute({ component: Outlet });
  const page = (path: string, component?: () => React.ReactNode) =>
    createRoute({ getParentRoute: () => root, path, component });
  let slow = () => {};
  const loaded = new Promise<void>((r) => {
    slow = r;
  });
  const router = createRouter({
    basepath: '/fleet-ui',
    history: createMemoryHistory({ initialEntries: ['/fleet-ui/groups?path=a'] }),
    routeTree: root.addChildren([
      page('/groups', () => <Leaving dirty={() => true} stays={(s) => s.path === 'a'} />),
      createRoute({
        getParentRoute: () => root,
        path: '/slow',
        pendingMs: 1e6,
        loader: () => loaded,
        component: () => 'The slow page',
      }),
      page('/other', () => 'The other page'),
      page('/sign-in', () => 'Sign in'),
    ]),
  });
  render(
    <MantineProvider env="test">
      <RouterProvider router={router} />
    </MantineProvider>,
  );
  await waitFor(() => expect(router.state.status).toBe('idle'));
  const go = (href: string) => act(async () => router.history.push(`/fleet-ui${href}`));
  return { go, slow, at: () => router.history.location.href.replace('/fleet-ui', '') };
}

const asked = () => screen.queryByRole('dialog') !== null;

it('asks when another page, or another thing on the same page, is chosen', async () => {
  const { go, at } = await open();
  await go('/other');
  expect(asked()).toBe(true);
  fireEvent.click(screen.getByText('Stay'));
  await waitFor(() => expect(asked()).toBe(false));
  await go('/groups?path=b');
  expect(asked()).toBe(true);
  expect(at()).toBe('/groups?path=a');
  fireEvent.click(screen.getByText('Leave'));
  await waitFor(() => expect(at()).toBe('/groups?path=b'));
});

it('does not ask while the place stays, nor when the session is over', async () => {
  const { go, at } = await open();
  await go('/groups?path=a&selector=x');
  expect(at()).toBe('/groups?path=a&selector=x');
  await go('/sign-in');
  expect(at()).toBe('/sign-in');
  expect(asked()).toBe(false);
});

it('asks once, even when the next page takes its time', async () => {
  const { go, at, slow } = await open();
  await go('/slow');
  fireEvent.click(screen.getByText('Leave'));
  await waitFor(() => expect(at()).toBe('/slow'));
  await go('/other');
  await waitFor(() => expect(at()).toBe('/other'));
  await screen.findByText('The other page');
  expect(asked()).toBe(false);
  slow();
});
