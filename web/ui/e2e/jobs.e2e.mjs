// Jobs: one is made by keys alone, with its schedule in words as it is typed; it is run now, and what it writes is read;
// one that fails says with which code; a device is given a script to run once.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { Hub, until } from './programs.mjs';
import { fits, scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('pump', 2, { key: { labels: { line: 'packing' } } });

scenario('a job is made by keys, run now, and its output is read', async (visit) => {
  const page = await visit(hub, 'jobs');
  const type = (text) => page.keyboard.type(text);
  const tab = async (times = 1) => {
    for (let i = 0; i < times; i++) await page.keyboard.press('Tab');
  };
  await page.getByRole('link', { name: 'New job' }).focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Name', { exact: true }).focus();
  await type('nightly');
  await tab();
  await type('By cron');
  await page.getByLabel('Cron text').waitFor();
  await tab();
  await page.keyboard.press('ControlOrMeta+A');
  await type('61 2 * * *');
  await page.getByText(/61 is beyond 59/).waitFor();
  assert.equal(await page.getByLabel('Cron text').getAttribute('aria-invalid'), 'true');
  await page.keyboard.press('ControlOrMeta+A');
  await type('30 2 * * 1-5');
  const means = page.getByRole('region', { name: 'What the schedule means' });
  await means.getByText(/weekdays at 02:30/).waitFor();
  assert.equal(await means.getByRole('list', { name: 'Next runs' }).getByRole('listitem').count(), 5);

  await page.getByLabel('Script', { exact: true }).focus();
  await page.keyboard.press('ControlOrMeta+A');
  await type('#!/bin/sh\n#: takes 300ms\n#: exits 0\n#: says 80\n');
  // What is missing is said when it is to be saved, and the first of it has the focus.
  await page.keyboard.press('ControlOrMeta+S');
  await page.getByText('Write a selector, or choose edge groups or devices.').waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('placeholder')?.startsWith('site='));
  await type('line=packing');
  await page.getByText('2 devices fit now').waitFor();
  await page.getByLabel('Output comes to the hub').focus();
  await type('always');
  await page.getByRole('button', { name: 'Save' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'nightly' }).waitFor();

  await page.getByRole('button', { name: 'Run now' }).press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Devices', { exact: true }).focus();
  await page.getByRole('option', { name: 'pump-0000' }).waitFor();
  await type('pump-0001');
  // What was found before what was typed is not there to be taken.
  await page.getByRole('option', { name: 'pump-0000' }).waitFor({ state: 'hidden' });
  await page.getByRole('option', { name: 'pump-0001' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Run now' }).press('Enter');
  await page.getByRole('button', { name: /^Run \d+ on pump-0001: done$/ }).press('Enter');
  const drawer = page.getByRole('dialog', { name: /^Run \d+ of nightly/ });
  await drawer.getByText('code 0').waitFor();
  await drawer.getByText(/^nightly, run \d+, attempt 1/).waitFor();
  await drawer.getByText('All of it is here.').waitFor();
});

scenario('a run that fails says its code, what it wrote, and on which device', async (visit) => {
  const script = '#!/bin/sh\n#: takes 100ms\n#: exits 3\n#: says 40\n';
  await hub.put('jobs/broken', { script, selector: 'line=packing', schedule: { kind: 'manual' } });
  await until('devices have it', async () => (await hub.get('jobs/broken')).assigned === 2);
  await hub.post('jobs/broken/run', { all: true });
  await until('it failed', async () => (await hub.get('jobs/broken')).last.failed === 2);
  const phone = await visit(hub, 'jobs', { screen: 'phone' });
  await phone.getByRole('link', { name: '2 failing' }).click();
  await phone.getByRole('button', { name: /^Run \d+ on pump-0000: failed$/ }).click();
  const drawer = phone.getByRole('dialog');
  await drawer.getByText('code 3').waitFor();
  await drawer.getByText('Errors', { exact: false }).first().click();
  await drawer.getByText('it ended with code 3').waitFor();
  await whole(phone);
  await fits(phone);
});

scenario('a device runs a script once, and what it writes is shown', async (visit) => {
  const { id } = await hub.device('pump-0000');
  const page = await visit(hub, `devices/${id}?tab=jobs`);
  await page.getByRole('button', { name: 'Run a script …' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/audit trail keeps .* hash, not its text/).waitFor();
  await dialog.getByLabel('Script', { exact: true }).fill('#!/bin/sh\n#: takes 100ms\n#: exits 0\n#: says 0\n');
  await dialog.getByRole('button', { name: 'Run it' }).click();
  const drawer = page.getByRole('dialog', { name: /^run-/ });
  await drawer.getByText(/^run-[a-z0-9]+, run \d+, attempt 1/).waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('a script, run once').waitFor();
  await page.goto('jobs?tab=once');
  await page.getByRole('row', { name: /^run-.*done/ }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('brok');
  await page.getByRole('option', { name: /^broken/ }).click();
  await page.getByRole('heading', { level: 1, name: 'broken' }).waitFor();
});
