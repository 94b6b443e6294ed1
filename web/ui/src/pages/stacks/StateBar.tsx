import './stacks.css';
import { Group, Text, Tooltip } from '@mantine/core';
import { count } from '../../kit/bytes';
import { lookOf, stackStates } from '../../kit/states';

/** shares lists the states that devices are in, in the order of bars; a state that is not known comes last. */
export function shares(states: Record<string, number>): { state: string; n: number }[] {
  const order: readonly string[] = stackStates;
  const place = (s: string) => (order.includes(s) ? order.indexOf(s) : order.length);
  return Object.entries(states)
    .filter(([, n]) => n > 0)
    .map(([state, n]) => ({ state, n }))
    .sort((a, b) => place(a.state) - place(b.state) || a.state.localeCompare(b.state));
}

interface Props {
  states: Record<string, number>;
  /** Written below, in words. Without it only hover and screen readers tell. */
  legend?: boolean;
}

/** StateBar shows how far a stack is on its devices. */
export function StateBar({ states, legend }: Props) {
  const all = shares(states);
  const text =
    all.length === 0 ? 'No device' : all.map(({ state, n }) => `${count(n)} ${lookOf('stack', state).word}`).join(', ');
  return (
    <div>
      <Tooltip label={text} multiline maw={320}>
        <div className="fs-bar" role="img" aria-label={text}>
          {all.map(({ state, n }) => (
            <div
              key={state}
              style={{ flexGrow: n, backgroundColor: `var(--mantine-color-${lookOf('stack', state).color}-filled)` }}
            />
          ))}
        </div>
      </Tooltip>
      {legend && <Legend states={states} />}
    </div>
  );
}

/** Legend writes the states out, each with its colour, shape and number. */
export function Legend({ states }: { states: Record<string, number> }) {
  const all = shares(states);
  if (all.length === 0) {
    return (
      <Text size="xs" c="dimmed">
        no device
      </Text>
    );
  }
  return (
    <Group gap={10} mt={2}>
      {all.map(({ state, n }) => {
        const look = lookOf('stack', state);
        return (
          <Group key={state} gap={3} wrap="nowrap">
            <look.icon size={13} color={`var(--mantine-color-${look.color}-filled)`} aria-hidden />
            <Text size="xs">
              {count(n)} {look.word}
            </Text>
          </Group>
        );
      })}
    </Group>
  );
}
