import { Button } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  /** The whole of it, for those who do not see beside what it is. */
  label: string;
  onClick: () => void;
  children: ReactNode;
}

/** RowButton is what can be done to a thing of a list. */
export function RowButton({ label, onClick, children }: Props) {
  return (
    <Button variant="subtle" color="gray" px="xs" aria-label={label} onClick={onClick}>
      {children}
    </Button>
  );
}
