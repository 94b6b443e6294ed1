// From an empty hub to a stack that runs on a real device, in the browser alone.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { admin, Hub, startAgent, until } from './programs.mjs';
import { fits, scenario } from './scenario.mjs';

const hub = await Hub.start({ plain: true });

// Without a network of its own: see scenario.mjs on interfaces.
const compose = `services:
  till:
    image: ${process.env.FARSHORE_TEST_IMAGE}
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $$!; done"]
    stop_grace_period: 1s
    network_mode: none
`;

/** newKey makes an edge key on the page of keys, and gives what the page shows that once. */
async function newKey(page, name) {
  await page.getByRole('link', { name: 'Edge keys' }).click();
  await page
    .getByRole('button', { name: /^(Make|New) .*key/ })
    .first()
    .click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await page.getByRole('button', { name: /^Make/ }).last().click();
  await page.getByText('Shown this once').waitFor();
  const shown = await page
    .getByText(/fsk1_\S+/)
    .first()
    .textContent();
  await page.getByRole('button', { name: 'I have what I need' }).click();
  return shown.match(/fsk1_[\w-]+/)[0];
}

scenario(
  'first start, an edge key, a real device let in from a phone, a stack on it, a container stopped',
  async (visit) => {
    const desk = await visit(hub, await hub.adminLink(), { stranger: true });
    await desk.getByLabel('Password', { exact: true }).fill('short');
    await desk.getByRole('button', { name: 'Make the administrator' }).click();
    await desk.getByText('Use at least 12 characters; these are 5.').waitFor();
    await desk.getByLabel('Password', { exact: true }).fill(admin.password);
    await desk.getByLabel('The same password again').fill(admin.password);
    await desk.getByRole('button', { name: 'Make the administrator' }).click();
    await desk.getByRole('heading', { name: 'Edge keys' }).waitFor();
    await hub.signIn();
    await hub.put('groups', { path: '', settings: { ping: '1s', snapshot: 'push', command: 'push' } });

    const agent = startAgent(await newKey(desk, 'field'));
    const code = await until('the agent says its pairing code', async () => (await agent.status()).pairing_code);

    // The technician's phone: the code typed as it comes.
    const phone = await visit(hub, 'waiting', { screen: 'phone' });
    await phone.getByText(code).waitFor();
    await fits(phone);
    await phone.getByRole('textbox', { name: 'Pairing code' }).fill(code.toLowerCase().replace('-', ' '));
    await phone.keyboard.press('Enter');
    await phone.getByText('the approval will be confirmed').waitFor();
    // And the address that the QR code on the device stands for, without what was typed before.
    await phone.goto('fleet');
    await phone.goto(`waiting?code=${code}`);
    // The link alone confirms nothing: somebody looks at the device.
    await phone.getByRole('button', { name: 'Approve without the code' }).waitFor();
    await phone.getByLabel(`The device in front of me shows ${code}`).check();
    await phone.getByRole('textbox', { name: 'Name', exact: true }).fill('till by the door');
    await fits(phone);
    await phone
      .getByRole('button', { name: /^Approve/ })
      .last()
      .click();
    await phone.getByRole('heading', { name: 'Approved' }).waitFor();
    await phone.getByRole('link', { name: /^Open/ }).click();
    await phone.getByRole('heading', { name: 'till by the door' }).waitFor();
    const device = await until('the device is in the fleet', () => hub.device('till by the door'));
    assert.equal(device.confirmed, true);

    // A stack for it, written in the editor.
    await desk.getByRole('link', { name: 'Stacks' }).click();
    await desk.getByRole('link', { name: 'New stack' }).first().click();
    await desk.getByRole('textbox', { name: 'Name', exact: true }).fill('shop');
    const text = desk.getByRole('textbox', { name: 'Text of compose.yml' });
    await text.click();
    await desk.keyboard.press('Control+a');
    await desk.keyboard.insertText(compose.replace('image:', 'imagge:'));
    await desk
      .getByText(/imagge/)
      .last()
      .waitFor();
    await desk.getByText(/1 thing is wrong/).waitFor();
    await desk.keyboard.press('Control+a');
    await desk.keyboard.insertText(compose);
    await desk.getByLabel('Selector', { exact: true }).fill(`farshore.io/id=${device.id}`);
    await desk.getByRole('button', { name: 'Review', exact: false }).click();
    await desk.getByRole('heading', { name: 'Review shop' }).waitFor();
    await desk.getByText('Which they are').click();
    await desk
      .getByRole('table', { name: 'Devices for which something changes' })
      .getByText('till by the door')
      .waitFor();
    await desk.getByRole('button', { name: /^Deploy to 1 device/ }).click();
    await desk.getByRole('heading', { level: 1, name: /^shop/ }).waitFor();
    const row = desk.getByRole('row').filter({ hasText: 'till by the door' });
    await row.getByText('running', { exact: true }).waitFor();

    // Its container shows on the phone by itself, is stopped there, and shows that.
    await phone.getByRole('tab', { name: /Containers/ }).click();
    await whole(phone);
    await fits(phone);
    await phone.getByText('shop-till-1').first().waitFor();
    await phone.getByRole('button', { name: 'Actions on shop-till-1' }).click();
    await phone.getByRole('menuitem', { name: 'Stop', exact: true }).click();
    await phone.getByText('stopped', { exact: true }).first().waitFor();
  },
  { timeout: 180_000 },
);
