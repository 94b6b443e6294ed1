// Two people edit one thing: the second is told, and loses nothing of what they typed.
import assert from 'node:assert/strict';
import { Hub } from './programs.mjs';
import { scenario } from './scenario.mjs';

const hub = await Hub.start();
await hub.simulate('pump', 1, { key: { group: 'plant' } });
const changed = /status of 412/;

scenario('a device', async (visit) => {
  const { id } = await hub.device('pump-0000');
  const page = await visit(hub, `devices/${id}?tab=settings`);
  const name = page.getByRole('textbox', { name: 'Name', exact: true });
  await name.fill('pump of mine');
  await hub.patch(`devices/${id}`, { name: 'pump of theirs' });
  page.allow(changed);
  await page.getByRole('button', { name: /^Save/ }).click();
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else changed this meanwhile' });
  await told.getByText('pump of theirs').first().waitFor();
  assert.equal(await name.inputValue(), 'pump of mine');
  await told.getByRole('button', { name: 'Save mine on top' }).click();
  await page.getByRole('heading', { level: 1, name: 'pump of mine' }).waitFor();
});

scenario('a group', async (visit) => {
  const page = await visit(hub, 'groups?path=plant');
  await page
    .getByRole('button', { name: /^Edit|^Change/ })
    .first()
    .click();
  const labels = page.getByLabel('Labels', { exact: true });
  await labels.fill('line=mine');
  await hub.put('groups', { path: 'plant', labels: { site: 'theirs' } });
  page.allow(changed);
  await page.getByRole('button', { name: /^Save/ }).first().click();
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else changed this meanwhile' });
  await told.getByText('site=theirs').waitFor();
  assert.equal(await labels.inputValue(), 'line=mine');
  await told.getByRole('button', { name: 'Save mine on top' }).click();
  await told.waitFor({ state: 'hidden' });
  await page.getByText('line=mine', { exact: true }).waitFor();
  assert.equal((await hub.get('groups')).items.find((g) => g.path === 'plant').labels.line, 'mine');
});

const compose = (image) => ({ 'compose.yml': `services:\n  one:\n    image: ${image}\n` });

scenario('a stack', async (visit) => {
  await hub.apply('shop', compose('example.org/first:1'), { selector: 'nobody=1' });
  const page = await visit(hub, 'stacks/shop/edit');
  const text = page.getByRole('textbox', { name: 'Text of compose.yml' });
  await text.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(compose('example.org/mine:1')['compose.yml']);
  await hub.apply('shop', compose('example.org/theirs:1'), { selector: 'nobody=1' });
  page.allow(changed);
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else changed this stack meanwhile' });
  await told.waitFor();
  assert.match(await text.textContent(), /mine:1/);
  await told
    .getByRole('button', { name: /differs|difference|Compare|Show/ })
    .first()
    .click();
  await page.getByText('example.org/theirs:1').first().waitFor();
  await told.getByRole('button', { name: /mine/i }).first().click();
  await page.getByRole('button', { name: /^Review/ }).click();
  await page.getByRole('button', { name: /^(Deploy|Save)/ }).click();
  await page.getByRole('heading', { level: 1, name: /^shop/ }).waitFor();
  const { files } = await hub.get('stacks/shop/versions/3/files');
  assert.match(Buffer.from(files['compose.yml'], 'base64').toString(), /mine:1/);
});
