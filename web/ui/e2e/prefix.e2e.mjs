// The console below a path that a proxy takes away, which the hub knows nothing of.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { admin, Hub, startProxy } from './programs.mjs';
import { scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('pump', 2);
const proxy = await startProxy(hub, '/ops/farshore');

scenario(
  'signing in, going about, deep links and changes as they happen, behind a proxy with a path',
  async (visit) => {
    const page = await visit(proxy, 'fleet?q=pump-0001', { stranger: true });
    await page.waitForURL(/\/ops\/farshore\/sign-in/);
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(admin.username);
    await page.getByLabel('Password', { exact: true }).fill(admin.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('pump-0001').first().waitFor();
    assert.match(page.url(), /\/ops\/farshore\/fleet\?/);
    await page.locator('[data-live=live]').waitFor();

    const { id } = await hub.device('pump-0001');
    for (const path of [`devices/${id}?tab=containers`, 'waiting', 'groups', 'new-stack', 'settings']) {
      await page.goto(path);
      await whole(page);
      await page.reload();
      await whole(page);
      assert.ok(page.url().startsWith(proxy.url), page.url());
    }
    await page.getByRole('link', { name: 'Stacks' }).click();
    await page.getByRole('heading', { level: 1, name: 'Stacks' }).waitFor();
    assert.equal(page.url(), `${proxy.url}stacks`);
    await page.goto(`devices/${id}`);
    await page.locator('[data-live=live]').waitFor();
    await hub.patch(`devices/${id}`, { name: 'renamed behind the proxy' });
    await page.getByRole('heading', { level: 1, name: 'renamed behind the proxy' }).waitFor();
  },
);
