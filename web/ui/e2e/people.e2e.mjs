// A person who is invited: a link, a password, a second factor, a role on one group until tomorrow, and the end of it.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Hub, until } from './programs.mjs';
import { scenario } from './scenario.mjs';

const hub = await Hub.start();
await Promise.all([
  hub.simulate('north', 2, { key: { group: 'norway/north' } }),
  hub.simulate('south', 1, { key: { group: 'norway/south' } }),
]);

/** codeOf computes the code of a second factor (RFC 6238) at a time in ms. */
function codeOf(secret, at) {
  const bits = [...secret.replace(/[\s=]/g, '').toUpperCase()]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => Number.parseInt(b, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(step).digest();
  return `${(mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000}`.padStart(6, '0');
}

scenario('an invited person gets in, sees what was granted, and is shown out', async (visit) => {
  const office = await visit(hub, 'settings?tab=people');
  await office.getByRole('button', { name: 'Add a user' }).click();
  await office.getByRole('dialog').getByLabel('Name').fill('kari');
  await office.getByRole('button', { name: 'Add, and make a link' }).click();
  const link = (await office.getByLabel('Link', { exact: true }).textContent()).trim();
  await office.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await office.getByRole('listitem', { name: 'kari' }).getByText('invited').waitFor();
  await office.getByRole('tab', { name: 'Access' }).click();
  await office.getByRole('button', { name: 'Grant a role' }).click();
  const grant = office.getByRole('dialog');
  await grant.getByLabel('For').selectOption('kari');
  await grant.getByLabel('Role').selectOption('operator');
  await grant.getByLabel('In').selectOption('/norway/north');
  await grant.getByLabel('Until').fill(new Date(Date.now() + 86_400_000).toISOString().slice(0, 10));
  await grant.getByRole('button', { name: 'Grant' }).click();
  await office.getByText('kari is operator on /norway/north').waitFor();

  const page = await visit(hub, `invited${new URL(link).hash}`, { stranger: true, screen: 'phone' });
  const password = 'several-quiet-fjords-here';
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('The same password again').fill(password);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('Your name is kari').waitFor();
  await page.getByRole('link', { name: 'Sign in' }).click();
  const signIn = async () => {
    await page.getByLabel('Name').fill('kari');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  await signIn();
  await page.getByText('north-0001').first().waitFor();
  assert.equal(await page.getByText('south-0000').count(), 0, 'devices of other groups are not seen');
  assert.equal(
    await page.getByRole('link', { name: 'Keys' }).count(),
    0,
    'places without anything to see are not offered',
  );

  await page.goto('settings?tab=account');
  assert.equal(await page.getByRole('tab', { name: 'People' }).count(), 0);
  await page.getByRole('button', { name: 'Set up', exact: true }).click();
  await page.getByRole('dialog').getByLabel('Your password').fill(password);
  await page.getByRole('button', { name: 'Set up a second factor' }).click();
  const secret = await page.getByRole('dialog').locator('pre').textContent();
  const first = Date.now();
  await page.getByLabel('The code that it shows').fill(codeOf(secret, first));
  await page.getByRole('button', { name: 'Confirm' }).click();
  const recovery = (await page.getByLabel('Recovery codes', { exact: true }).textContent()).trim().split(/\s+/);
  assert.ok(recovery.length >= 8);
  await page.getByRole('button', { name: 'I have kept them' }).click();

  await page.goto('settings?tab=tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('reports');
  await page.getByLabel('Only in these groups').fill('norway/north');
  await page.getByRole('button', { name: 'Make the token' }).click();
  const token = (await page.getByLabel('API token', { exact: true }).textContent()).trim();
  await page.getByRole('button', { name: 'I have copied it' }).click();
  const answer = await hub.http.get('devices', { headers: { authorization: `Bearer ${token}` } });
  const names = (await answer.json()).items.map((d) => d.name).sort();
  assert.deepEqual(names, ['north-0000', 'north-0001']);

  page.allow(/status of 401/);
  await page.getByRole('button', { name: 'Account and more' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await signIn();
  const code = page.getByLabel('Code of your authenticator, or a recovery code');
  // A code is good once, and the one of the next 30 s is taken a little early.
  await code.fill(codeOf(secret, first + 30_000));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('north-0001').first().waitFor();

  await office.getByRole('tab', { name: 'People' }).click();
  await office.reload();
  const kari = office.getByRole('listitem', { name: 'kari' });
  await kari.getByText(/Second factor on/).waitFor();
  await kari.getByRole('button', { name: 'What to do with kari' }).click();
  await office.getByRole('menuitem', { name: 'End all sessions' }).click();
  await kari.getByText(/ 0 sessions/).waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();

  const trail = await visit(hub, 'activity?q=kari');
  await trail.getByText('ended all sessions of').waitFor();
  await until('the trail knows the second factor', async () => {
    const { items } = await hub.get('audit?q=kari');
    return items.some((e) => e.operation === 'session.second-factor-on');
  });
});
