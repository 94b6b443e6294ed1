// Signing in, being signed out, and the stream of changes that is lost and comes back.
import assert from 'node:assert/strict';
import { admin, Hub } from './programs.mjs';
import { scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('pump', 3);

const unauthorized = /status of 401/;

/** forget ends the session of a page as the hub does when it runs out. */
async function forget(page) {
  const answer = await page.context().request.delete('api/v1/session', { headers: { 'X-Farshore': '1' } });
  assert.equal(answer.status(), 204);
}

scenario('who follows a link without being signed in comes to where it leads', async (visit) => {
  const page = await visit(hub, 'fleet?q=pump-0001&sort=name', { stranger: true });
  await page.getByLabel('Name').fill(admin.username);
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  page.allow(unauthorized);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page
    .getByRole('alert')
    .getByText(/password/)
    .waitFor();
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('pump-0001').first().waitFor();
  const at = new URL(page.url());
  assert.equal(at.pathname, '/fleet');
  assert.equal(at.searchParams.get('q'), 'pump-0001');
});

scenario('a lost session is asked for again over the page, which stays', async (visit) => {
  const { id } = await hub.device('pump-0002');
  const page = await visit(hub, `devices/${id}?tab=settings`);
  await page.getByRole('heading', { name: 'pump-0002' }).waitFor();
  const name = page.getByRole('main').getByRole('textbox', { name: 'Name', exact: true });
  await name.fill('pump by the gate');
  page.allow(unauthorized);
  await forget(page);
  await page.getByRole('button', { name: /^Save/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign in again' });
  await dialog.getByLabel('Password', { exact: true }).fill(admin.password);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await name.inputValue(), 'pump by the gate');
  await page.getByRole('button', { name: /^Save/ }).click();
  await page.getByRole('heading', { name: 'pump by the gate' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('tab'), 'settings');
});

scenario('a hub that is gone is told, and what happened meanwhile shows when it is back', async (visit) => {
  const page = await visit(hub, 'fleet?sort=name');
  await page.locator('[data-live=live]').waitFor();
  await page.getByText('pump-0000').first().waitFor();
  page.allow(/ERR_(CONNECTION|HTTP2|SOCKET|QUIC|INCOMPLETE_CHUNKED|EMPTY_RESPONSE|NETWORK)/);
  await hub.program.stop('SIGKILL');
  await page
    .locator('[data-live=lost]')
    .getByText(/^Not live since/)
    .waitFor();
  assert.ok(await page.getByText('pump-0000').first().isVisible(), 'the page still shows what it knew');
  await hub.start();
  const { id } = await hub.device('pump-0000');
  await hub.patch(`devices/${id}`, { name: 'renamed meanwhile' });
  await page.locator('[data-live=live]').waitFor();
  await page.getByText('renamed meanwhile').first().waitFor();
});

scenario('signing out leaves nothing behind', async (visit) => {
  const page = await visit(hub, 'fleet');
  await page.getByRole('button', { name: 'Account and more' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.waitForURL(/sign-in/);
  await page.goto('groups');
  await page.waitForURL(/sign-in\?to=/);
});
