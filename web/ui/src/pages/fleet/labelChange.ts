import { parseLabels } from '../../kit/labels';

const keyForm = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** LabelChange is what the API takes: a null removes the label. */
export type LabelChange = Record<string, string | null>;

/** labelChange reads labels to add and keys to remove as people type them, or says at which field what is wrong. */
export function labelChange(
  add: string,
  remove: string,
): { labels: LabelChange } | { wrong: { add?: string; remove?: string } } {
  const given = parseLabels(add);
  if ('wrong' in given) return { wrong: { add: given.wrong } };
  const labels: LabelChange = { ...given.labels };
  for (const part of remove.split(/[,\n]/)) {
    const key = part.trim().replace(/=.*$/, '').trim();
    if (key === '') continue;
    if (!keyForm.test(key)) return { wrong: { remove: `“${key}” cannot be the key of a label.` } };
    if (key in labels) return { wrong: { remove: `${key} is to be added as well: choose one.` } };
    labels[key] = null;
  }
  if (Object.keys(labels).length === 0) return { wrong: { add: 'Give a label to add, or a key to remove.' } };
  return { labels };
}
