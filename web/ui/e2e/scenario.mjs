// What the scenarios share: a browser, and pages on which any fault fails the scenario.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newContext, open, signedIn } from './browser.mjs';
import { admin, endAll } from './programs.mjs';

const pictures = join(import.meta.dirname, '../../../.cache/e2e');

let browser;
after(async () => {
  await browser?.close();
  await endAll();
});

/**
 * watch collects what must not be on any page: errors on its console, exceptions, requests without an answer, and
 * violations of the policy. What a scenario brings about on purpose it allows, by a pattern.
 */
export async function watch(context) {
  const faults = [];
  // Chromium ends all requests when the machine gets another interface, as engines of other tests make them.
  const allowed = [/ERR_NETWORK_CHANGED/];
  const add = (text) => {
    if (!allowed.some((pattern) => pattern.test(text))) faults.push(text);
  };
  await context.exposeFunction('fault', add);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) =>
      window.fault(`policy ${e.violatedDirective} forbids ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`),
    );
  });
  context.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') add(`${m.type()}: ${m.text()} (${m.location().url})`);
  });
  context.on('weberror', (e) => add(`exception: ${e.error().stack}`));
  context.on('requestfailed', (r) => {
    // The page itself gives up requests whose answer it no longer wants.
    if (r.failure()?.errorText !== 'net::ERR_ABORTED') add(`no answer: ${r.url()} ${r.failure()?.errorText}`);
  });
  return {
    faults,
    allow: (...patterns) => allowed.push(...patterns),
  };
}

/**
 * scenario is a test with pages. run is given `visit`, which opens a page on a hub: visit(hub, path, {screen, scheme,
 * who, stranger, allow}). The page has `allow` too, for faults that the scenario brings about.
 */
export function scenario(name, run, { timeout = 120_000 } = {}) {
  test(name, { timeout }, async () => {
    browser ??= await open();
    const pages = [];
    const visit = async (hub, path, { stranger = false, who = admin, allow: early = [], ...look } = {}) => {
      const context = await newContext(browser, hub.url, look);
      context.setDefaultTimeout(30_000);
      const { faults, allow } = await watch(context);
      allow(...early);
      if (!stranger) await signedIn(context, who);
      const page = await context.newPage();
      pages.push({ page, faults });
      page.allow = allow;
      await page.goto(path);
      return page;
    };
    try {
      await run(visit);
      for (const { faults } of pages) assert.deepEqual(faults, [], 'the page had faults');
    } catch (e) {
      mkdirSync(pictures, { recursive: true });
      for (const [i, { page, faults }] of pages.entries()) {
        const file = join(pictures, `${name.replace(/[^a-z0-9]+/gi, '-')}-${i + 1}.png`);
        await page.screenshot({ path: file }).catch(() => {});
        process.stderr.write(`picture of the page at ${page.url()}: ${file}\n${faults.join('\n')}\n`);
      }
      throw e;
    } finally {
      for (const { page } of pages) await page.context().close();
    }
  });
}

/** fits checks that nothing on a page makes it scroll sideways. */
export async function fits(page) {
  const over = await page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll('body *')]
      .filter((e) => e.getBoundingClientRect().right > wide + 1)
      .map((e) => `${e.tagName}.${e.className} “${e.textContent.slice(0, 40)}”`)
      .slice(-3);
  });
  assert.deepEqual(over, [], `${page.url()} scrolls sideways`);
}
