import { Progress as Bar, Text } from '@mantine/core';
import { stateColor, states, summary } from './words';

/** BatchBar shows how far devices are in a rollout, or in a batch of one: as a bar, and in words. */
export function BatchBar({ devices }: { devices: Record<string, number> }) {
  const all = Object.values(devices).reduce((sum, n) => sum + n, 0);
  const text = summary(devices);
  return (
    <div>
      {all > 0 && (
        <Bar.Root size="sm" my={6} role="img" aria-label={text}>
          {[...states].reverse().map((s) => (
            <Bar.Section
              key={s}
              value={(100 * (devices[s] ?? 0)) / all}
              color={s === 'waiting' ? 'var(--mantine-color-default-border)' : stateColor(s)}
              withAria={false}
            />
          ))}
        </Bar.Root>
      )}
      <Text size="sm">{text}</Text>
    </div>
  );
}
