import { UnstyledButton } from '@mantine/core';
import { count } from '../../kit/bytes';
import { livenessStates, lookOf } from '../../kit/states';
import { type FleetSearch, statesOf, toggled } from './filter';

interface Props {
  states: Record<string, number>;
  /** The numbers are of what is asked for; others are not shown, but keep their room. */
  known: boolean;
  search: FleetSearch;
  change: (next: Partial<FleetSearch>) => void;
}

/** Counts shows how many devices are in each state; a click shows those alone. */
export function Counts({ states, known, search, change }: Props) {
  const asked = statesOf(search);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would be drawn as one
    <div className="fl-counts" role="group" aria-label="Show only the states">
      {livenessStates.map((state) => {
        const look = lookOf('liveness', state);
        const number = count(states[state] ?? 0);
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
            {look.word} <b style={{ minWidth: `${number.length}ch` }}>{known ? number : '–'}</b>
          </UnstyledButton>
        );
      })}
    </div>
  );
}
