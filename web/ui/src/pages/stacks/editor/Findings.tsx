import { Alert, Anchor, Button, Group, List, Loader, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from '@tabler/icons-react';
import type { Schemas } from '../../../api/client';
import { asProblem } from '../../../api/problem';
import { count } from '../../../kit/bytes';
import type { Files } from './files';
import { lineOf } from './mark';
import type { Marks } from './useMarks';
import { placeOf } from './usePreview';

const shown = 8;

interface Props {
  files: Files;
  marks: ReadonlyMap<string, Marks>;
  /** What keeps the hub from being asked; said once somebody wants to. */
  obstacles: readonly string[];
  preview: { data: Schemas['Preview'] | undefined; error: unknown; isFetching: boolean; refetch: () => unknown };
  /** show opens a file at an offset or a line. */
  show: (path: string, at: { offset: number } | { line: number }) => void;
}

/** Findings says what is wrong with a draft, first what the page knows and then what the hub says. */
export function Findings({ files, marks, obstacles, preview, show }: Props) {
  const found = [...marks].flatMap(([path, m]) => m.marks.map((mark) => ({ path, of: m.of, ...mark })));
  const errors = found.filter((f) => f.severity === 'error').length;
  const problem = preview.error ? asProblem(preview.error) : undefined;
  const place = problem && placeOf(problem.message, files.keys());
  return (
    <div aria-live="polite" id="fs-findings">
      {obstacles.length > 0 && (
        <Alert color="yellow" icon={<IconInfoCircle aria-hidden />} title="Before it can be deployed" my="xs" p="xs">
          <List size="sm">
            {obstacles.map((o) => (
              <List.Item key={o} className="fs-text">
                {o}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {found.length > 0 && (
        <Alert
          color={errors > 0 ? 'red' : 'yellow'}
          icon={<IconAlertTriangle aria-hidden />}
          title={errors > 0 ? `${count(errors, 'thing is', 'things are')} wrong` : 'To look at'}
          my="xs"
          p="xs"
        >
          <List size="sm" spacing={2}>
            {found.slice(0, shown).map((f) => (
              <List.Item key={`${f.path} ${f.from} ${f.message}`} className="fs-text">
                <Anchor component="button" type="button" size="sm" onClick={() => show(f.path, { offset: f.from })}>
                  {f.path}, line {lineOf(f.of, f.from)}
                </Anchor>
                : {f.message}
              </List.Item>
            ))}
          </List>
          {found.length > shown && <Text size="sm">And {found.length - shown} more.</Text>}
        </Alert>
      )}
      {problem && (
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="The hub does not take it" my="xs" p="xs">
          <Text size="sm" className="fs-text">
            {problem.message}
          </Text>
          <Group gap="xs" mt={4}>
            {place && (
              <Button size="compact-sm" variant="default" onClick={() => show(place.path, { line: place.line })}>
                Go to {place.path}, line {place.line}
              </Button>
            )}
            {problem.status !== 422 && (
              <Button size="compact-sm" variant="default" onClick={() => preview.refetch()}>
                Check again
              </Button>
            )}
          </Group>
        </Alert>
      )}
      <Group gap={6} mih={24} wrap="nowrap">
        {preview.isFetching ? (
          <>
            <Loader size={14} aria-hidden />
            <Text size="sm">The hub checks it …</Text>
          </>
        ) : (
          preview.data &&
          errors === 0 && (
            <>
              <IconCircleCheck size={16} color="var(--mantine-color-green-7)" aria-hidden />
              <Text size="sm">{accepted(preview.data)}</Text>
            </>
          )
        )}
      </Group>
    </div>
  );
}

function accepted(p: Schemas['Preview']): string {
  if (p.exists && !p.changed) return `The hub takes it; it is the same as version ${p.version_now}.`;
  const services = p.services.filter((s) => s.change !== 'removed').length;
  return `The hub takes it: ${count(services, 'service')} on ${count(p.devices.total, 'device')}.`;
}
