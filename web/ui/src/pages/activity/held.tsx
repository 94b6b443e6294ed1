import { Affix, Button } from '@mantine/core';
import { IconArrowUp } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { count } from '../../kit/bytes';

const atTop = 80; // pixels

interface Held<T> {
  shown: readonly T[];
  /** How many newer ones are held back. */
  newer: number;
  show: () => void;
}

/**
 * useHeld holds back what is new of a list with the newest first while one reads further down, so that nothing moves
 * under the eyes.
 */
export function useHeld<T>(items: readonly T[], idOf: (item: T) => string): Held<T> {
  const [top, setTop] = useState<string>();
  const first = items[0] && idOf(items[0]);
  useEffect(() => {
    const scrolled = () => setTop((t) => (window.scrollY < atTop ? undefined : (t ?? first)));
    window.addEventListener('scroll', scrolled, { passive: true });
    return () => window.removeEventListener('scroll', scrolled);
  }, [first]);
  const newer =
    top === undefined
      ? 0
      : Math.max(
          items.findIndex((i) => idOf(i) === top),
          0,
        );
  return {
    shown: newer ? items.slice(newer) : items,
    newer,
    show: () => {
      setTop(undefined);
      window.scrollTo({ top: 0 });
    },
  };
}

/** Newer is the button that shows what was held back. */
export function Newer({ n, show }: { n: number; show: () => void }) {
  if (n === 0) return null;
  return (
    <Affix position={{ top: 64, right: 20 }}>
      <Button size="sm" leftSection={<IconArrowUp size={16} aria-hidden />} onClick={show}>
        {count(n)} newer
      </Button>
    </Affix>
  );
}
