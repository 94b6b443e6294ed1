import { CloseButton, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { lookOf } from '../../kit/states';
import { type FleetSearch, plain } from './filter';

interface Props {
  search: FleetSearch;
  change: (next: Partial<FleetSearch>) => void;
}

const words = { q: 'search', group: 'group', mode: 'mode', profile: 'profile', stack: 'stack', version: 'version' };

/** Chips shows what narrows the list beside states and selector; each can be taken away. */
export function Chips({ search, change }: Props) {
  const chips = Object.entries(words).flatMap(([key, word]) => {
    const value = search[key as keyof typeof words];
    return value ? [{ key, word: `${word}: ${value}` }] : [];
  });
  if (search.stage) chips.push({ key: 'stage', word: `budget: ${lookOf('spending', search.stage).word}` });
  if (search.trouble) chips.push({ key: 'trouble', word: 'in trouble' });
  if (chips.length === 0) return null;
  return (
    <Group gap={6}>
      {chips.map((c) => (
        <span key={c.key} className="fl-chip">
          <span className="fs-text">{c.word}</span>
          <CloseButton size="xs" aria-label={`Remove ${c.word}`} onClick={() => change({ [c.key]: undefined })} />
        </span>
      ))}
      <Link className="fl-all" to="/fleet" search={plain(search)}>
        Show all
      </Link>
    </Group>
  );
}
