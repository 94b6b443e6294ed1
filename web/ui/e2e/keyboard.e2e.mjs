// The console without a mouse.
import assert from 'node:assert/strict';
import { Hub } from './programs.mjs';
import { scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('pump', 3);

scenario('shortcuts, search and the list of devices by keys alone', async (visit) => {
  const page = await visit(hub, 'groups');
  await page.getByRole('heading', { level: 1, name: 'Groups' }).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Help' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Help' }).waitFor({ state: 'hidden' });
  await page.keyboard.type('gf');
  await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('pump-0002');
  await page.getByRole('option').filter({ hasText: 'pump-0002' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'pump-0002' }).waitFor();

  // Shortcuts are letters again where one types.
  await page.keyboard.press('/');
  await page.keyboard.type('gs?');
  assert.match(page.url(), /\/devices\//);
  await page.keyboard.press('Escape');

  await page.goto('fleet?sort=name');
  const rows = page.getByRole('grid', { name: 'Devices' }).getByRole('row');
  await rows.filter({ hasText: 'pump-0001' }).waitFor();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement?.closest('[role=grid]'))) break;
  }
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await page.getByRole('toolbar', { name: 'Selected devices' }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/devices\//);
});
