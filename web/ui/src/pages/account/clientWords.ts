// Browsers by a word that only they, or those named before them, say of themselves.
const browsers = [
  ['Edg', 'Edge'],
  ['OPR', 'Opera'],
  ['Firefox', 'Firefox'],
  ['Chrome', 'Chrome'],
  ['Safari', 'Safari'],
] as const;
const systems = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS', 'macOS'],
  ['Linux', 'Linux'],
] as const;

/** clientWords says shortly what a client called itself; what is not known as a browser is given as it is. */
export function clientWords(agent: string | undefined): string {
  if (!agent) return 'A client without a name';
  const find = (all: readonly (readonly [string, string])[]) => all.find(([word]) => agent.includes(word))?.[1];
  const browser = agent.startsWith('Mozilla/') ? find(browsers) : undefined;
  if (!browser) return agent;
  const system = find(systems);
  return system ? `${browser} on ${system}` : browser;
}
