import { Stack, Text, Title } from '@mantine/core';
import type { TablerIcon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

interface Props {
  icon: TablerIcon;
  title: string;
  /** What to do next. */
  children: ReactNode;
}

/** Empty stands where a list has nothing, and says what to do next. */
export function Empty({ icon: Icon, title, children }: Props) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      <Icon size={40} stroke={1.3} aria-hidden opacity={0.6} />
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text component="div" c="dimmed" maw={520} size="sm">
        {children}
      </Text>
    </Stack>
  );
}
