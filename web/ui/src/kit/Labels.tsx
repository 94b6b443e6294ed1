import { Badge, Group, Tooltip } from '@mantine/core';

/** Labels shows labels as text, at most `most` of them; hover tells the rest. Facts (farshore.io/…) are left out. */
export function Labels({ labels, most = 3 }: { labels: Record<string, string> | undefined; most?: number }) {
  const all = Object.entries(labels ?? {})
    .filter(([k]) => !k.startsWith('farshore.io/'))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([k, v]) => `${k}=${v}`);
  if (all.length === 0) return null;
  const rest = all.slice(most);
  return (
    <Group gap={4} wrap="wrap">
      {all.slice(0, most).map((l) => (
        <Badge key={l} className="fs-label" variant="default" size="sm">
          {l}
        </Badge>
      ))}
      {rest.length > 0 && (
        <Tooltip label={rest.join(', ')} multiline maw={360}>
          <Badge className="fs-label" variant="default" size="sm">
            +{rest.length}
          </Badge>
        </Tooltip>
      )}
    </Group>
  );
}
