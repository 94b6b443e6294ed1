/** labelText writes labels as people type them, one after the other by key. */
export function labelText(labels: Record<string, string> | undefined): string {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([k, v]) => `${k}=${v}`)
    .join(', ');
}

const keyForm = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const valueForm = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;

/** parseLabels reads labels as people type them: key=value, apart by commas or line ends. Or it says what is wrong. */
export function parseLabels(text: string): { labels: Record<string, string> } | { wrong: string } {
  const labels: Record<string, string> = {};
  for (const part of text.split(/[,\n]/)) {
    const label = part.trim();
    if (label === '') continue;
    const at = label.indexOf('=');
    if (at < 0) return { wrong: `“${label}” has no value: write it as key=value.` };
    const [key, value] = [label.slice(0, at).trim(), label.slice(at + 1).trim()];
    if (!keyForm.test(key)) return { wrong: `“${key}” cannot be a key: use letters, digits, . _ and -, at most 63.` };
    if (!valueForm.test(value)) {
      return { wrong: `“${value}” cannot be the value of ${key}: use letters, digits, . _ and -, at most 63.` };
    }
    labels[key] = value;
  }
  return { labels };
}
