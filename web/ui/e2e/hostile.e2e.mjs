// What devices say of themselves is shown as text, whatever it is.
import assert from 'node:assert/strict';
import { whole } from './browser.mjs';
import { Hub } from './programs.mjs';
import { fits, scenario } from './scenario.mjs';

const hub = await Hub.start();
const script = '<script>window.taken=1</script><img src=x onerror="window.taken=1">';
await hub.simulate('pump', 1);
const { id } = await hub.device('pump-0000');
await hub.patch(`devices/${id}`, { name: script });
// Host names as devices claim them; fleetsim takes any.
await hub.simulate('"><script>taken=1</script>\u202egnp.exe', 1, { wait: true, key: { name: 'strangers' } });
await hub.put('groups', { path: `plant/${'very-long-name-'.repeat(4)}` });
await hub.apply('shop', {
  'compose.yml': `services:\n  one:\n    image: example.org/${'long-'.repeat(30)}name:1\n    container_name: one-${'x'.repeat(200)}\n    labels: {note: '<b onmouseover=taken=1>'}\n`,
});

for (const screen of ['desk', 'phone']) {
  scenario(`text from devices is text, on a ${screen}`, async (visit) => {
    const page = await visit(hub, 'fleet', { screen });
    await page.getByText('<script>window.taken=1</script>').first().waitFor();
    for (const path of [
      'fleet?q=script',
      `devices/${id}`,
      `devices/${id}?tab=containers`,
      `devices/${id}?tab=stacks`,
      `devices/${id}?tab=timeline`,
      `devices/${id}?tab=settings`,
      'waiting',
      'groups',
      'stacks/shop',
      'activity',
    ]) {
      await page.goto(path);
      await whole(page);
      await fits(page);
      assert.equal(await page.evaluate(() => window.taken), undefined, path);
      assert.equal(await page.locator('img[src=x], a[href^="javascript:"]').count(), 0, path);
    }
  });
}
