import { Center, Group, Paper, Stack, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

/** Frame is a small page of its own, for who is not signed in. */
export function Frame({ title, children }: { title: string; children: ReactNode }) {
  useDocumentTitle(`${title} · Farshore`);
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="lg" w={400} maw="100%">
        <Stack gap="md">
          <Group gap="sm">
            <img src="icon.svg" width={36} height={36} alt="" />
            <Title order={1}>{title}</Title>
          </Group>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}
