import { Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { count } from '../../kit/bytes';
import { SearchField } from '../../kit/SearchField';
import { usePlace } from './place';

// What a page shows at once; nobody reads more, and a device may send as many as it likes.
const most = 200;

// So many fit on a screen: below it nobody searches.
const few = 12;

interface Wanted<T> {
  all: readonly T[];
  /** What is searched in one of them. */
  text: (one: T) => string;
  /** What they are called. */
  word: string;
}

/** useFirst gives the first of a list that fit what is searched for, and the bar that searches it. */
export function useFirst<T>({ all, text, word }: Wanted<T>): { shown: readonly T[]; bar: ReactNode } {
  const { search, go } = usePlace();
  const words = (search.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = words.length === 0 ? all : all.filter((one) => fits(text(one).toLowerCase(), words));
  const bar = (all.length > few || words.length > 0) && (
    <Group gap="sm">
      <SearchField label={`Search ${word}s`} value={search.q} search={(q) => go({ q })} w={{ base: '100%', xs: 320 }} />
      <Text size="sm" c="dimmed">
        {words.length > 0 ? `${count(fitting.length)} of ${count(all.length, word)}` : count(all.length, word)}
        {fitting.length > most && `; the first ${most} are shown, search for others`}
      </Text>
    </Group>
  );
  return { shown: fitting.slice(0, most), bar };
}

function fits(text: string, words: readonly string[]): boolean {
  return words.every((w) => text.includes(w));
}
