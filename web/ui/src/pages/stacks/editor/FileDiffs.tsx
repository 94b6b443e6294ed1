import { Accordion, Badge, Group, Text } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { changedPaths } from './draft';
import type { Files } from './files';

const Diff = lazy(() => import('./Diff').then((m) => ({ default: m.Diff })));

interface Props {
  before: Files;
  after: Files;
  names: readonly [string, string];
  /** Said beside a path. */
  note?: (path: string) => string | undefined;
}

/** FileDiffs lists the files that differ, each with its difference to open. The first is open. */
export function FileDiffs({ before, after, names, note }: Props) {
  const paths = changedPaths(before, after);
  const [open, setOpen] = useState<string[]>(paths.slice(0, 1));
  if (paths.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No file differs.
      </Text>
    );
  }
  return (
    <Accordion multiple variant="contained" value={open} onChange={setOpen} order={3} transitionDuration={0}>
      {paths.map((path) => {
        const [word, color] = !before.has(path)
          ? ['added', 'green']
          : !after.has(path)
            ? ['removed', 'red']
            : ['changed', 'blue'];
        return (
          <Accordion.Item key={path} value={path}>
            <Accordion.Control>
              <Group gap="xs">
                <Text size="sm" className="fs-text fs-code">
                  {path}
                </Text>
                <Badge variant="light" color={color} className="fs-state">
                  {word}
                </Badge>
                <Text size="xs" c="dimmed">
                  {note?.(path)}
                </Text>
              </Group>
            </Accordion.Control>
            <Accordion.Panel>
              {open.includes(path) && (
                <>
                  <Group justify="space-between" mb={4} visibleFrom="sm" grow>
                    <Text size="xs" c="dimmed">
                      {names[0]}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {names[1]}
                    </Text>
                  </Group>
                  <Suspense fallback={<Text size="sm">Comparing …</Text>}>
                    <Diff path={path} before={before.get(path)} after={after.get(path)} names={names} />
                  </Suspense>
                </>
              )}
            </Accordion.Panel>
          </Accordion.Item>
        );
      })}
    </Accordion>
  );
}
