// bench.mjs [REPORT]: how the console feels with 10,000 devices in a real hub, in Debian's Chromium, beside its targets.
// The fleet is made by simulated devices, which knock, are let in and say what they run, once; then it is kept in
// .cache/bench-hub for the next time. FARSHORE_BENCH_DEVICES: another number of them.
import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { newContext, open, signedIn } from './browser.mjs';
import { admin, bin, endAll, folder, Hub, Program, until } from './programs.mjs';

const top = join(import.meta.dirname, '../../..');
const [report = join(top, 'docs/bench/console.md')] = process.argv.slice(2);
const devices = Number(process.env.FARSHORE_BENCH_DEVICES ?? 10_000);
const kept = join(top, `.cache/bench-hub-${devices}`);
const perSite = 500;
const runs = 5;

/** makeFleet lets devices join, site after site, and keeps the hub's data. */
async function makeFleet() {
  const data = join(folder(), 'hub');
  const hub = await Hub.start({ data });
  // Nobody is expected again for a day, so that all stay as they are.
  await hub.put('groups', { path: '', settings: { ping: '24h', snapshot: '24h', command: '24h' } });
  for (let site = 0; site < devices / perSite; site++) {
    const name = `site-${String(site).padStart(2, '0')}`;
    const group = `country-${site % 5}/${name}`;
    const at = { 'farshore.io/lat': `${site * 5 - 50}`, 'farshore.io/lon': `${site * 17 - 170}` };
    const { edge_key } = await hub.post('keys', {
      ...{ name, group, auto_approve: {} },
      labels: { site: name, line: `${site % 7}`, ...at },
    });
    const args = ['--devices', `${perSite}`, '--name', name, '--seed', '7', '--life=false', '--carrier', 'https'];
    const sim = new Program(join(bin, 'fleetsim'), [...args, '--mode', 'async', '--ramp', '20s'], {
      FARSHORE_SIM_EDGE_KEY: edge_key,
    });
    const all = async () => {
      const { total, items } = await hub.get(`devices?limit=1&group=${group}&sort=containers`);
      return total === perSite && items[0].containers;
    };
    await until(`the devices of ${name} are there`, all, 300);
    await sim.stop('SIGKILL');
    process.stdout.write(`${(site + 1) * perSite} devices\n`);
  }
  await hub.program.stop();
  cpSync(data, kept, { recursive: true });
}

if (!existsSync(kept)) await makeFleet();
const data = join(folder(), 'hub');
cpSync(kept, data, { recursive: true });
const hub = await Hub.start({ data });
const browser = await open();

/** middle gives the median of what measure gives in several runs, with the worst of them. */
async function middle(measure) {
  const all = [];
  for (let i = 0; i < runs; i++) all.push(await measure());
  all.sort((a, b) => a - b);
  return { middle: all[Math.floor(runs / 2)], worst: all[runs - 1] };
}

/** fresh opens a page with nothing in its cache, signed in. */
async function fresh() {
  const context = await newContext(browser, hub.url);
  await signedIn(context, admin);
  return context.newPage();
}

const row = '[role=grid] [role=row][aria-rowindex="2"] [data-column]';

/** firstRows is the time from the navigation's start to the first row on the screen. */
async function firstRows() {
  const page = await fresh();
  await page.addInitScript((selector) => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector(selector)) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => (window.shown ??= performance.now())));
    }).observe(document, { childList: true, subtree: true });
  }, row);
  await page.goto('fleet?sort=name');
  await page.waitForFunction(() => window.shown);
  const ms = await page.evaluate(() => window.shown);
  await page.context().close();
  return ms;
}

/** filtered is the time from Enter behind a selector to the painted list of what fits. */
async function filtered(page, selector) {
  await page.getByRole('textbox', { name: 'Label selector' }).fill(selector);
  await page.evaluate(() => {
    const grid = () => document.querySelector('[role=grid]');
    const was = grid().getAttribute('aria-rowcount');
    let began;
    window.took = undefined;
    document.addEventListener('submit', () => (began = performance.now()), { capture: true, once: true });
    new MutationObserver((_, observer) => {
      if (began === undefined || grid()?.ariaBusy !== 'false' || grid().getAttribute('aria-rowcount') === was) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => (window.took = performance.now() - began)));
    }).observe(document.body, { attributes: true, childList: true, subtree: true });
  });
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => window.took !== undefined);
  return page.evaluate(() => window.took);
}

/** scrolled scrolls through the fleet, a screen each frame, and gives the longest task and the frames in ms. */
async function scrolled(page) {
  return page.evaluate(
    () =>
      new Promise((done) => {
        const tasks = [0];
        new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({
          type: 'longtask',
        });
        const grid = document.querySelector('[role=grid]');
        const scroller =
          [grid, ...grid.querySelectorAll('*')].find(
            (e) => e.scrollHeight > e.clientHeight + 1000 && getComputedStyle(e).overflowY !== 'visible',
          ) ?? document.scrollingElement;
        const frames = [];
        let last = performance.now();
        let left = 300;
        const step = (now) => {
          frames.push(now - last);
          last = now;
          scroller.scrollTop += 800;
          if (left-- > 0) return requestAnimationFrame(step);
          setTimeout(() => {
            frames.sort((a, b) => a - b);
            done({
              task: Math.max(...tasks),
              frame: frames[Math.floor(frames.length / 2)],
              slow: frames[Math.floor(frames.length * 0.95)],
              to: scroller.scrollTop,
            });
          }, 500);
        };
        requestAnimationFrame(step);
      }),
  );
}

/** scriptAtFirst is the script that a browser loads for the list of devices, by gzip, in bytes. */
async function scriptAtFirst() {
  const page = await fresh();
  await page.goto('fleet');
  await page.locator(row).first().waitFor();
  const names = await page.evaluate(() => performance.getEntriesByType('resource').map((e) => e.name));
  let sum = 0;
  for (const name of names.filter((n) => n.endsWith('.js'))) {
    const answer = await page.context().request.get(name);
    sum += gzipSync(await answer.body(), { level: 9 }).length;
  }
  await page.context().close();
  return sum;
}

const rows = await middle(firstRows);
const page = await fresh();
await page.goto('fleet?sort=name');
await page.locator(row).first().waitFor();
const lines = [];
const filter = await middle(() =>
  filtered(page, `line in (${lines.push(lines.length) && lines.map((_, i) => i).join(', ')})`),
);
await page.goto('fleet?sort=name');
await page.locator(row).first().waitFor();
const scroll = await scrolled(page);
const session = await page.context().newCDPSession(page);
await session.send('HeapProfiler.collectGarbage');
const heap = (await session.send('Runtime.getHeapUsage')).usedSize;
const nodes = (await session.send('Memory.getDOMCounters')).nodes;
const script = await scriptAtFirst();
const served = (await hub.get('devices?limit=1')).total;

const ms = (n) => `${Math.round(n)} ms`;
const kb = (n) => `${Math.round(n / 1000)} kB`;
const line = (what, got, target, good) => `| ${what} | ${got} | ${target} | ${good ? 'yes' : '**no**'} |`;
const text = `# The console with ${served.toLocaleString('en')} devices

Written by \`scripts/bench.sh ui\`: a real hub, Debian's Chromium without a screen on the same machine, 1440×900, ${runs}
runs of each; the list of devices as it is opened first, nothing cached.

- machine: ${availableParallelism()} × ${cpus()[0].model}
- load when it began to be written down: ${loadavg()
  .map((l) => l.toFixed(1))
  .join(' ')}${
  loadavg()[0] > availableParallelism() + 1 ? ' (**others were at work on it, so the times are too long**)' : ''
}
- browser: Chromium ${browser.version()}

| what | measured | target | met |
|---|---|---|---|
${[
  line(
    'first rows on the screen, from an empty cache',
    `${ms(rows.middle)} (worst ${ms(rows.worst)})`,
    '≤ 1000 ms',
    rows.middle <= 1000,
  ),
  line(
    'a filter by labels, from Enter to the new list',
    `${ms(filter.middle)} (worst ${ms(filter.worst)})`,
    '≤ 100 ms',
    filter.middle <= 100,
  ),
  line('longest task while scrolling', scroll.task ? ms(scroll.task) : 'below 50 ms', '≤ 100 ms', scroll.task <= 100),
  line(
    `frames while scrolling, 800 px each, ${Math.round(scroll.to / 1000)},000 px in all`,
    `${ms(scroll.frame)}, 95 % within ${ms(scroll.slow)}`,
    '≤ 17 ms',
    scroll.frame <= 17.5,
  ),
  line('script at first load, by gzip', kb(script), '≤ 350 kB', script <= 350_000),
].join('\n')}

After scrolling the page holds ${(heap / 1e6).toFixed(1)} MB of script memory and ${nodes.toLocaleString('en')} DOM nodes.
`;
writeFileSync(report, text);
process.stdout.write(text);
await browser.close();
await endAll();
rmSync(data, { recursive: true, force: true });
process.exit();
