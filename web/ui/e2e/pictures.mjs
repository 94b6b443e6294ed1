// pictures.mjs [README-FOLDER ALL-FOLDER]: pictures of the console with the sample fleet. A few are for the README; all
// pages, on a desk and a phone, light and dark, are for looking at.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { newContext, open, signedIn, whole } from './browser.mjs';
import { admin, endAll, until } from './programs.mjs';
import { places, startSample } from './sample.mjs';

const top = join(import.meta.dirname, '../../..');
const [few = join(top, 'docs/pictures'), all = join(top, '.cache/screenshots')] = process.argv.slice(2);
const most = 200_000; // bytes of a picture in the README

/** Pictures of the README: page, screen, scheme. */
const chosen = new Set([
  'fleet-desk-light',
  'fleet-map-desk-dark',
  'device-containers-desk-light',
  'stack-desk-dark',
  'waiting-phone-light',
  'device-phone-dark',
]);

mkdirSync(few, { recursive: true });
mkdirSync(all, { recursive: true });
const sample = await startSample();
await until('silent devices are overdue', async () => (await sample.hub.get('devices?limit=1')).states.overdue === 2);
const browser = await open();
for (const screen of ['desk', 'phone']) {
  for (const scheme of ['light', 'dark']) {
    const context = await newContext(browser, sample.hub.url, { screen, scheme });
    await signedIn(context, admin);
    const page = await context.newPage();
    for (const [name, path] of places(sample)) {
      await page.goto(path);
      await whole(page);
      const file = `${name}-${screen}-${scheme}.png`;
      await page.screenshot({ path: join(all, file) });
      if (!chosen.has(file.replace('.png', ''))) continue;
      await page.screenshot({ path: join(few, file) });
      const { size } = statSync(join(few, file));
      if (size > most) throw new Error(`${file} has ${size} bytes, more than ${most}: choose another page`);
    }
    await context.close();
  }
}
await browser.close();
await endAll();
process.stdout.write(`Pictures of the README are in ${few}, those of all pages in ${all}.\n`);
process.exit();
