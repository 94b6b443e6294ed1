// Every page, of a fleet with something of everything, on a desk and on a phone, light and dark: it is without faults,
// does not scroll sideways, and axe finds nothing serious.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { whole } from './browser.mjs';
import { places, startSample } from './sample.mjs';
import { fits, scenario } from './scenario.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const sample = await startSample();

/** faults gives what axe finds serious; in other colours only contrast can differ. */
async function faults(page, rules) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (only) => window.axe.run(document, { resultTypes: ['violations'], ...(only && { runOnly: only }) }),
    rules,
  );
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.slice(0, 3).map((n) => `${v.id}: ${n.html.slice(0, 200)} — ${n.failureSummary}`));
}

for (const screen of ['desk', 'phone']) {
  for (const [name, path, allowed] of places(sample)) {
    scenario(`${name} on a ${screen}`, async (visit) => {
      const page = await visit(sample.hub, path, { screen, allow: allowed ? [allowed] : [] });
      await whole(page);
      await fits(page);
      assert.deepEqual(await faults(page), [], `${name}, light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      await whole(page);
      assert.deepEqual(await faults(page, ['color-contrast']), [], `${name}, dark`);
    });
  }
}
