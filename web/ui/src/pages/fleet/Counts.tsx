import { UnstyledButton } from '@mantine/core';
import { count } from '../../kit/bytes';
import { livenessStates, lookOf } from '../../kit/states';
import { type FleetSearch, statesOf, toggled } from './filter';

interface Props {
  states: Record<string, number>;
  search: FleetSearch;
  change: (next: Partial<FleetSearch>) => void;
}

/** Counts shows how many devices are in each state; a click shows those alone. */
export function Counts({ states, search, change }: Props) {
  const asked = statesOf(search);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would be drawn as one
    <div className="fl-counts" role="group" aria-label="Show only the states">
      {livenessStates.map((state) => {
        const look = lookOf('liveness', state);
        const style = {
          '--fl-ground': `var(--mantine-color-${look.color}-light)`,
          '--fl-ink': `var(--mantine-color-${look.color}-light-color)`,
          '--fl-hue': `var(--mantine-color-${look.color === 'dark' ? 'gray' : look.color}-5)`,
        } as React.CSSProperties;
        return (
          <UnstyledButton
            key={state}
            className="fl-count"
            style={style}
            aria-pressed={asked.includes(state)}
            data-state={state}
            onClick={() => change({ state: toggled(search, state) })}
          >
            <look.icon size={14} aria-hidden />
            {look.word} <b>{count(states[state] ?? 0)}</b>
          </UnstyledButton>
        );
      })}
    </div>
  );
}
