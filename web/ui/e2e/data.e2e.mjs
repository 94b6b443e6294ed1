// What links cost: a profile whose budget does not suffice is refused, a better one holds for a group, and its devices
// show what they spent, when they are in contact, and what a deployment will cost.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { Hub, until } from './programs.mjs';
import { fits, scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('vessel', 2, { key: { group: 'ships', labels: { link: 'satellite' } } });

/** pass writes a line of a table: from so many hours on, for ten minutes. */
const pass = (hours) => {
  const at = (minutes) => new Date(Date.now() + (hours * 60 + minutes) * 60_000).toISOString().slice(0, 19);
  return `${at(0)}Z,${at(10)}Z,250000`;
};

scenario('a budget below its own pings is refused with the arithmetic, a better one is saved', async (visit) => {
  const desk = await visit(hub, 'data?tab=profiles');
  await desk.getByRole('button', { name: 'New profile' }).click();
  const dialog = desk.getByRole('dialog');
  await dialog.getByLabel('Name').fill('vessel');
  await dialog.getByLabel('Ping', { exact: true }).fill('1m');
  desk.allow(/status of 4\d\d/);
  await dialog.getByLabel('Soft cap').fill('4 MB');
  await dialog.getByLabel('Hard cap', { exact: true }).fill('5 MB');
  await dialog.getByText('The hub would refuse this').waitFor();
  await dialog.getByRole('button', { name: 'Make the profile' }).click();
  await dialog.getByRole('alert').getByText(/ping/i).first().waitFor();
  await dialog.getByLabel('Ping', { exact: true }).fill('1h');
  await dialog.getByLabel('Price of a megabyte').fill('4.20');
  await dialog.getByLabel('Currency').fill('EUR');
  await dialog.getByText(/An idle device costs .*a month, \d+\.\d\d EUR/).waitFor();
  await dialog
    .getByRole('button', { name: /contact window|window of contact|Add a/i })
    .first()
    .click();
  await dialog.getByRole('list', { name: 'It would open' }).getByText('for 10 min').first().waitFor();
  await dialog
    .getByRole('button', { name: /^Remove.*Contact window 1|Remove.*window/i })
    .first()
    .click();
  await dialog.getByText('It may be in contact at any time.').waitFor();
  await dialog.getByRole('button', { name: 'Make the profile' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const card = desk.getByRole('region', { name: 'vessel', exact: true });
  await card.getByText('never more than 5.0 MB').waitFor();
  await card.getByText(/EUR/).first().waitFor();
  const { items } = await hub.get('profiles');
  assert.equal(items.find((p) => p.name === 'vessel').link.budget.hard, 5_000_000);
});

scenario('a table of passes is pasted, its faults are said by line, and the next contact is shown', async (visit) => {
  const { id } = await hub.device('vessel-0001');
  const desk = await visit(hub, `devices/${id}?tab=data`);
  await desk.getByRole('button', { name: 'Give a table of passes' }).click();
  const dialog = desk.getByRole('dialog');
  const table = dialog.getByLabel('Passes, as CSV');
  await table.fill(`start,end,bytes\n${pass(2)}\ntomorrow,later,\n`);
  await dialog.getByText('Line 3: “tomorrow” is no start').waitFor();
  await table.fill(`start,end,bytes\n${pass(2)}\n${pass(30)}\n`);
  await dialog.getByText('2 passes, from').waitFor();
  await dialog.getByRole('button', { name: 'Save the table' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await desk.getByRole('list', { name: 'Passes to come' }).getByText('250 kB expected').first().waitFor();
  await desk.getByRole('list', { name: 'Next openings' }).getByText('for 10 min').first().waitFor();
  await desk.getByRole('button', { name: 'Remove …' }).click();
  await desk.getByRole('dialog').getByRole('textbox').fill('this device');
  await desk.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await desk.getByText('At any time: its link profile names no contact windows').waitFor();
});

scenario(
  'devices show what they spent of their caps, which are lifted; a deployment says what it costs',
  async (visit) => {
    const group = (await hub.get('groups')).items.find((g) => g.path === 'ships');
    await hub.put('groups', { path: 'ships', labels: group.labels, profile: 'vessel' });
    const spent = async () =>
      (await hub.get('usage/devices?group=ships')).items.every((d) => d.spent > 0 && d.hard > 0);
    await until('what was spent is known', spent, 150);
    const { id } = await hub.device('vessel-0000');
    const desk = await visit(hub, 'data?group=ships');
    await desk
      .getByTestId('sums')
      .getByText(/^2 devices/)
      .waitFor();
    await desk.getByRole('button', { name: 'Show as a table' }).click();
    await desk.getByRole('table', { name: 'Bytes by class, each day' }).getByText('session').waitFor();
    const row = desk.getByRole('row', { name: /vessel-0000/ });
    await row.getByRole('img', { name: /of 5\.0 MB/ }).waitFor();
    await row.getByRole('link', { name: 'vessel-0000' }).click();

    await desk.getByRole('button', { name: 'Lift the caps …' }).click();
    const dialog = desk.getByRole('dialog');
    await dialog.getByLabel('More in this cycle').fill('1 MB');
    await dialog.getByText('Then the hard cap is 6.0 MB').waitFor();
    await dialog.getByLabel('Why').fill('a new chart');
    await dialog.getByRole('button', { name: 'Lift', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
    await desk
      .getByText('1.0 MB were added to the caps')
      .getByText('a new chart')
      .or(desk.getByText('“a new chart”'))
      .first()
      .waitFor();
    const { lift } = await hub.get(`devices/${id}`);
    assert.equal(lift.extra, 1_000_000);

    const phone = await visit(hub, 'data?group=ships', { screen: 'phone' });
    await phone.getByRole('list', { name: 'Devices and what they spent' }).getByText('vessel-0001').waitFor();
    await whole(phone);
    await fits(phone);
    await phone.goto(`devices/${id}?tab=data`);
    await phone.getByRole('heading', { name: /^Billing cycle/ }).waitFor();
    await whole(phone);
    await fits(phone);
  },
  { timeout: 240_000 },
);

/** noise is text that packs badly. */
function noise(n) {
  let x = 1;
  const next = () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return 33 + ((x >>> 16) % 90);
  };
  return Buffer.from(Uint8Array.from({ length: n }, next));
}

scenario(
  'a review says what a stack will cost and whose budget it passes, its rollout what it was thought to cost',
  async (visit) => {
    const thin = { budget: { hard: 200_000, daily_ping: true } };
    await hub.put('profiles/thin', {
      settings: { ping: '24h' },
      link: thin,
      tariff: { price_per_mb: '10', currency: 'EUR' },
    });
    await hub.simulate('ketch', 1, { key: { group: 'charts/shore' } });
    await hub.simulate('dinghy', 1, { key: { group: 'charts/dinghies' } });
    await hub.put('groups', { path: 'charts/dinghies', profile: 'thin' });
    const compose = 'services:\n  plotter:\n    image: registry.shop.example/plotter:1\n';
    await hub.apply('chart', { 'compose.yml': compose }, { selector: '', group: 'charts' });
    await until('version 1 runs', async () => (await hub.get('stacks/chart')).states.running === 2, 60);

    const desk = await visit(hub, 'stacks/chart/edit');
    await desk.getByRole('textbox', { name: 'Text of compose.yml' }).waitFor();
    const file = { name: 'chart.bin', mimeType: 'application/octet-stream', buffer: noise(400_000) };
    await desk.locator('input[type=file][multiple]:not([webkitdirectory])').first().setInputFiles(file);
    await desk.getByRole('button', { name: /^Review/ }).click();
    await desk.getByText(/^About .* over the links of 2 devices/).waitFor({ timeout: 60_000 });
    const over = desk.getByRole('table', { name: 'Devices whose budget does not suffice' });
    await over.getByText('dinghy-0000').waitFor();
    await over.getByText(/^needs \d+ kB$/).waitFor();
    assert.equal(await over.getByText('ketch-0000').count(), 0, 'whose link has no budget');
    await whole(desk);
    await fits(desk);
    await desk.getByRole('checkbox', { name: /^Yes, to all 2/ }).check();
    await desk.getByRole('button', { name: 'Deploy to 2 devices' }).click();
    await desk.waitForURL((u) => !u.pathname.endsWith('/edit'));
    await desk.goto('stacks/chart?tab=rollouts');
    const rollout = desk.getByRole('region', { name: /^Rollout 2/ });
    const spent = rollout.getByTestId('spent').filter({ hasText: /^Estimated \d+ kB for 2 devices/ });
    await spent.waitFor({ timeout: 60_000 });
  },
  { timeout: 240_000 },
);
