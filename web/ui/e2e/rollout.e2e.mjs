// A new version that does not work: a canary plan stops it, the page says why, and the last version goes out again.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { Hub, until } from './programs.mjs';
import { fits, scenario } from './scenario.mjs';

const hub = await Hub.start();
await Promise.all([
  hub.simulate('canary', 2, { key: { group: 'shops/oslo', labels: { ring: 'canary' } } }),
  hub.simulate('shop', 4, { key: { group: 'shops/bergen' } }),
]);
await hub.put('edge-groups/frozen', { devices: ['shop-0003'] });
const till = (version, more = '') => `services:
  till:
    image: registry.shop.example/till:${version}${more}
`;
await hub.apply('till', { 'compose.yml': till(1) }, { selector: '', exclude: ['frozen'], message: 'first' });
const states = async () => (await hub.get('stacks/till')).states;
await until('version 1 runs', async () => (await states()).running === 5);

scenario(
  'a canary plan stops a version that fails, the device says why, and the last one is deployed again',
  async (visit) => {
    const desk = await visit(hub, 'stacks/till');
    await desk.getByText('but none of edge group frozen').waitFor();
    await desk.getByRole('link', { name: 'Edit' }).click();
    const text = desk.getByRole('textbox', { name: 'Text of compose.yml' });
    await text.click();
    await desk.keyboard.press('Control+a');
    await desk.keyboard.insertText(till(2, '\n    labels: {farshore.test/fail: exit}'));
    await desk.getByRole('button', { name: 'In which steps: change' }).click();
    await desk.getByRole('radio', { name: 'In batches' }).check();
    await desk.getByLabel('First batch').fill('2');
    await desk.getByLabel('Order by label').fill('ring');
    await desk.getByLabel(/^Its values/).fill('canary');
    await desk.getByText('by ring: canary, then the others').waitFor();
    await desk.getByRole('button', { name: 'When a version is good: change' }).click();
    await desk.getByLabel('Try again').fill('1');
    await desk.getByRole('button', { name: /^Review/ }).click();
    await desk.getByText(/^2 batches, of 2 and 3 devices|^\d batches, of 2/).waitFor();
    await desk.getByRole('checkbox', { name: /^Yes, to all 5/ }).check();
    await desk.getByRole('button', { name: 'Deploy to 5 devices' }).click();

    // It stops, by itself, at the canaries.
    const rollout = desk.getByRole('region', { name: /^Rollout 2/ });
    await rollout.getByText('paused', { exact: true }).waitFor({ timeout: 60_000 });
    assert.deepEqual(await untouched(), [1, 1, 1], 'the others never saw it');
    const phone = await visit(hub, 'rollouts', { screen: 'phone' });
    await phone.getByRole('region', { name: 'till, rollout 2' }).getByText('paused', { exact: true }).waitFor();
    await whole(phone);
    await fits(phone);
    await rollout
      .getByRole('link', { name: 'Batch 1' })
      .or(rollout.getByText(/2 (failed|back)/))
      .first()
      .waitFor();

    // Why, on the device.
    await phone.goto('stacks/till?batch=1');
    await phone.getByRole('link', { name: 'canary-0000' }).click();
    await phone
      .getByText(/exited|ended/i)
      .first()
      .waitFor();
    await whole(phone);
    await fits(phone);

    // The last one that worked, again: that asks what becomes of the one that is paused.
    await desk.getByRole('tab', { name: 'Versions' }).click();
    await desk.getByRole('button', { name: 'Deploy version 1' }).click();
    const dialog = desk.getByRole('dialog');
    await dialog.getByText('is under way').waitFor();
    const go = dialog.getByRole('button', { name: 'Deploy version 1' });
    assert.equal(await go.isDisabled(), true, 'it is asked first');
    await dialog.getByRole('radio', { name: 'Replace it' }).check();
    await go.click();
    await dialog.waitFor({ state: 'hidden' });
    await until('version 1 runs everywhere', async () => (await states()).running === 5);
    await desk.getByRole('tab', { name: 'Rollouts' }).click();
    await desk.getByRole('region', { name: 'Rollout 3: version 1' }).last().waitFor();
    await desk.getByRole('region', { name: 'Rollout 2: version 2' }).getByText('aborted', { exact: true }).waitFor();
  },
  { timeout: 180_000 },
);

/** untouched are the versions that run on devices that are no canaries. */
async function untouched() {
  const { items } = await hub.get('stacks/till/devices');
  return items.filter((d) => d.device_name.startsWith('shop-')).map((d) => d.running);
}
