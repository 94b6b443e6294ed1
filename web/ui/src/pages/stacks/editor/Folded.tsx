import { Button, Collapse, Fieldset, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';

interface Props {
  legend: string;
  /** What is chosen, in words. */
  words: string;
  children: ReactNode;
}

/** Folded says in words what is chosen, and shows the fields for it when somebody wants to change it. */
export function Folded({ legend, words, children }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <Fieldset legend={legend} p="xs">
      {!open && (
        <Text size="sm" className="fs-text">
          {words}
        </Text>
      )}
      <Button
        variant="subtle"
        size="compact-sm"
        px={0}
        h={{ base: 40, sm: 26 }}
        aria-expanded={open}
        aria-label={`${legend}: ${open ? 'less' : 'change'}`}
        onClick={() => setOpen(!open)}
      >
        {open ? 'Less' : 'Change'}
      </Button>
      <Collapse expanded={open}>{children}</Collapse>
    </Fieldset>
  );
}
