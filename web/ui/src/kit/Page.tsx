import { Group, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

interface Props {
  title: string;
  /** Shown instead of the title, where it is more than a word. */
  heading?: ReactNode;
  /** A line below the title. */
  about?: ReactNode;
  /** Buttons for the whole page. */
  actions?: ReactNode;
  children: ReactNode;
}

/** Page is the frame of a page: its title, in the tab too, its actions, and what it shows. */
export function Page({ title, heading, about, actions, children }: Props) {
  useDocumentTitle(`${title} · Farshore`);
  return (
    <Stack gap="md" className="fs-page">
      <Group justify="space-between" align="flex-start" gap="sm">
        <div style={{ minWidth: 0 }}>
          {heading ?? <Title order={1}>{title}</Title>}
          {about && (
            <Text component="div" size="sm" c="dimmed">
              {about}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}
