/**
 * inside gives the address to go to after signing in: one of this console's own, or nothing. A link that somebody sent
 * cannot lead elsewhere.
 */
export function inside(to: string | undefined): string | undefined {
  if (!to || !/^\/(?![/\\])/.test(to) || to.startsWith('/sign-in')) return undefined;
  // Browsers leave out tabs and line ends, and take \ for /.
  return [...to].some((c) => c <= ' ' || c === '\\') ? undefined : to;
}
