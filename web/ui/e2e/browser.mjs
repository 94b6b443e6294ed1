// The browser of tests and pictures: Debian's Chromium, which talks to nobody but the hub that it is given.
import { chromium } from 'playwright-core';

/** Sizes of the screens that every page is looked at on. */
export const screens = {
  desk: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
};

/** open starts a browser. Close it. */
export function open() {
  return chromium.launch({
    executablePath: process.env.FARSHORE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * newContext gives a fresh profile: `screen` desk or phone, `scheme` light or dark. The hub's certificate is its own.
 */
export function newContext(browser, url, { screen = 'desk', scheme = 'light' } = {}) {
  return browser.newContext({
    baseURL: url,
    ignoreHTTPSErrors: true,
    viewport: screens[screen],
    hasTouch: screen === 'phone',
    isMobile: screen === 'phone',
    colorScheme: scheme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
}

/** signIn signs in on the sign-in page that the hub shows first. */
export async function signIn(page, { username, password }) {
  await page.goto('sign-in');
  await page.getByLabel('Name').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((u) => !u.pathname.endsWith('/sign-in'));
}

/** signedIn gives the browser's profile a session, without the page that asks for a password. */
export async function signedIn(context, who) {
  const answer = await context.request.post('api/v1/session?cookie=true', {
    data: who,
    headers: { 'X-Farshore': '1' },
  });
  if (!answer.ok()) throw new Error(`sign in: ${await answer.text()}`);
}

/** whole waits until a page has its heading, and shows nothing any more that stands for what is still to come. */
export async function whole(page) {
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root'));
  // Colours and sizes are as they will be when the browser has painted, and what moves to an end has come there.
  await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ending = document
      .getAnimations()
      .filter((a) => a.effect.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    await Promise.all(ending.map((a) => a.finished.catch(() => {})));
  });
}
