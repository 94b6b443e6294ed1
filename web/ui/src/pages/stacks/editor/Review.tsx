import {
  Alert,
  Anchor,
  Badge,
  Button,
  Checkbox,
  Group,
  List,
  Skeleton,
  Stack,
  Table,
  Text,
  Title,
} from '@mantine/core';
import { IconAlertTriangle, IconRocket } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../../../api/client';
import { asProblem } from '../../../api/problem';
import { count } from '../../../kit/bytes';
import { Estimate } from '../../../kit/data/Estimate';
import { Failure } from '../../../kit/Failure';
import { batchesWords, planWords } from '../../../kit/rollout/plan';
import { State } from '../../../kit/State';
import { type During, UnderWay } from '../UnderWay';
import { reachWords } from '../words';
import { type Draft, homeOf } from './draft';
import { FileDiffs } from './FileDiffs';
import { changeWords, healthWords, type Rules } from './rules';
import type { How } from './useDeploy';
import { useEstimate } from './usePreview';

type Preview = Schemas['Preview'];

interface Props {
  draft: Draft;
  preview: { data: Preview | undefined; error: unknown; refetch: () => unknown };
  deploy: { run: (how: How) => void; busy: boolean; error: unknown };
  back: () => void;
  /** Somebody else changed the stack meanwhile. */
  outdated: boolean;
}

const changeColors: Record<string, string> = {
  added: 'green',
  changed: 'blue',
  updated: 'blue',
  removed: 'red',
  same: 'gray',
};

/** Review shows what deploying a draft would do, and does it. */
export function Review({ draft, preview, deploy, back, outdated }: Props) {
  const [everywhere, setEverywhere] = useState(false);
  const [during, setDuring] = useState<During>('');
  if (preview.error) {
    return (
      <>
        <Failure error={preview.error} retry={() => preview.refetch()} />
        <Group>
          <Button variant="default" onClick={back}>
            Back to editing
          </Button>
        </Group>
      </>
    );
  }
  const p = preview.data;
  if (!p) return <Skeleton h={420} aria-label="The hub works out what would change" />;
  const total = p.devices.total;
  const touched = p.devices.added + p.devices.updated + p.devices.removed;
  const same = p.exists && !p.changed;
  const refused = deploy.error ? asProblem(deploy.error).code === 'rollout-under-way' : false;
  const asks = refused || (p.rollout && p.under_way !== undefined);
  const needsTick = draft.settings.everywhere && !same;
  return (
    <Stack gap="md">
      {same && (
        <Alert color="blue" title="Nothing would change" p="xs">
          <Text size="sm">
            This is version {p.version_now} as it is. To make its devices apply it again, use Redeploy on the stack’s
            page.
          </Text>
        </Alert>
      )}
      {p.warnings.length > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="To think of" p="xs">
          <List size="sm">
            {p.warnings.map((w) => (
              <List.Item key={w} className="fs-text">
                {w}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <section aria-labelledby="fs-review-devices">
        <Title order={2} id="fs-review-devices" mb={4}>
          Devices
        </Title>
        <Devices preview={p} target={draft.settings} />
      </section>
      {!same && touched > 0 && (
        <section aria-labelledby="fs-review-data">
          <Title order={2} id="fs-review-data" mb={4}>
            Data
          </Title>
          <Cost draft={draft} />
        </section>
      )}
      <section aria-labelledby="fs-review-rollout">
        <Title order={2} id="fs-review-rollout" mb={4}>
          Rollout
        </Title>
        <Rollout preview={p} rules={draft.settings} />
      </section>
      <section aria-labelledby="fs-review-services">
        <Title order={2} id="fs-review-services" mb={4}>
          Services
        </Title>
        <Services preview={p} />
      </section>
      <section aria-labelledby="fs-review-files">
        <Title order={2} id="fs-review-files" mb={4}>
          Files
        </Title>
        <FileDiffs
          before={draft.base?.files ?? new Map()}
          after={draft.files}
          names={[
            draft.base ? `Version ${draft.base.version}${outdated ? '' : ', now'}` : 'Nothing yet',
            'As it will be',
          ]}
        />
        <Variables draft={draft} />
      </section>
      {needsTick && (
        <Checkbox
          checked={everywhere}
          onChange={(e) => setEverywhere(e.currentTarget.checked)}
          label={`Yes, to all ${count(total, 'device')}, and to each device that joins later`}
        />
      )}
      {asks && <UnderWay rollout={p.under_way} value={during} change={setDuring} />}
      {!refused && <Failure error={deploy.error} />}
      {outdated && <Text size="sm">Choose first, above, how to go on with what somebody else changed.</Text>}
      <Group gap="xs">
        <Button
          leftSection={<IconRocket size={16} />}
          onClick={() => deploy.run(during ? { during } : {})}
          loading={deploy.busy}
          disabled={same || outdated || (needsTick && !everywhere) || (asks && during === '')}
        >
          {touched === 0 && total === 0 ? 'Deploy, to no device yet' : `Deploy to ${count(total, 'device')}`}
        </Button>
        <Button variant="default" onClick={back}>
          Back to editing
        </Button>
      </Group>
    </Stack>
  );
}

/** Cost says what the deployment will spend on the devices' links. */
function Cost({ draft }: { draft: Draft }) {
  const { data, error, refetch } = useEstimate(draft);
  if (error) return <Failure error={error} retry={() => refetch()} />;
  return data ? (
    <Estimate estimate={data} />
  ) : (
    <Skeleton h={48} aria-label="The hub asks registries what images weigh" />
  );
}

/** Devices says how many get it, and lists them. How many are away is among the hub's warnings. */
function Devices({ preview: p, target }: { preview: Preview; target: Draft['settings'] }) {
  const { added, updated, removed, same, total } = p.devices;
  const listed = added + updated + removed;
  return (
    <Stack gap={6}>
      <Text size="sm" className="fs-text">
        {reachWords({ ...target, group: homeOf(target), include: [...target.include], exclude: [...target.exclude] })}:{' '}
        <b>{count(total, 'device')}</b> now
        {listed + same > 0 && ': '}
        {[
          added > 0 && `${count(added)} get it for the first time`,
          updated > 0 && `${count(updated)} get the new version`,
          same > 0 && `${count(same)} keep what they have`,
          removed > 0 && `${count(removed)} lose it`,
        ]
          .filter(Boolean)
          .join(', ')}
        {listed + same > 0 && '.'}
      </Text>
      {removed > 0 && (
        <Text size="sm" c="red.9" fw={600}>
          It is taken from {count(removed, 'device')}: its containers stop there.
        </Text>
      )}
      {p.items.length > 0 && (
        <details>
          <summary style={{ cursor: 'pointer', fontSize: 'var(--mantine-font-size-sm)', padding: '6px 0' }}>
            {p.items.length < listed ? `The first ${p.items.length} of ${count(listed, 'device')}` : 'Which they are'}
          </summary>
          <div className="fs-scroll" style={{ maxHeight: 320, overflowY: 'auto' }}>
            <Table aria-label="Devices for which something changes">
              <Table.Tbody>
                {p.items.map((d) => (
                  <Table.Tr key={d.id}>
                    <Table.Td>
                      <Anchor
                        renderRoot={(props) => (
                          <Link to="/devices/$device" params={{ device: d.id }} target="_blank" {...props} />
                        )}
                        size="sm"
                        className="fs-text"
                        display="inline-block"
                        py={{ base: 9, sm: 0 }}
                      >
                        {d.name}
                      </Anchor>
                      <Text size="xs" c="dimmed" className="fs-text">
                        {d.group}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <State kind="liveness" state={d.state} />
                    </Table.Td>
                    <Table.Td>
                      <Change word={d.change} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </details>
      )}
    </Stack>
  );
}

/** Rollout says in which steps the devices would change, and when. */
function Rollout({ preview: p, rules }: { preview: Preview; rules: Rules }) {
  if (!p.rollout) {
    return <Text size="sm">None: no device has to change for this.</Text>;
  }
  const words = batchesWords(p.batches, p.rest);
  return (
    <Stack gap={4}>
      <Text size="sm" className="fs-text">
        {words.charAt(0).toUpperCase() + words.slice(1)}. {planWords(rules.plan)}
      </Text>
      <Text size="sm" className="fs-text">
        {changeWords(rules)} {healthWords(rules)}
      </Text>
    </Stack>
  );
}

function Change({ word }: { word: string }) {
  return (
    <Badge variant="light" className="fs-state" miw="max-content" color={changeColors[word] ?? 'gray'}>
      {word}
    </Badge>
  );
}

function Services({ preview: p }: { preview: Preview }) {
  const changes = p.services.filter((s) => s.change !== 'same');
  const same = p.services.length - changes.length;
  return (
    <Stack gap={6}>
      {changes.length > 0 && (
        <div className="fs-scroll">
          <Table aria-label="Services that change" w="auto">
            <Table.Tbody>
              {changes.map((s) => (
                <Table.Tr key={s.name}>
                  <Table.Td className="fs-text" fw={600}>
                    {s.name}
                  </Table.Td>
                  <Table.Td>
                    <Change word={s.change} />
                  </Table.Td>
                  <Table.Td className="fs-text fs-code">
                    {s.image_was && (
                      <>
                        <Text component="del" size="sm" c="dimmed">
                          {s.image_was}
                        </Text>{' '}
                      </>
                    )}
                    <Text component="span" size="sm">
                      {s.image}
                    </Text>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {same > 0 && (
        <Text size="sm" c="dimmed">
          {count(same, 'service')} {same === 1 ? 'stays as it is' : 'stay as they are'}.
        </Text>
      )}
      {p.images.length > 0 && (
        <Text size="sm" className="fs-text">
          Images new in this version: <span className="fs-code">{p.images.join(', ')}</span>. Devices that lack them
          fetch them.
        </Text>
      )}
    </Stack>
  );
}

function Variables({ draft }: { draft: Draft }) {
  const names = new Set(draft.variables.map((v) => v.name));
  const had = draft.base?.variables ?? [];
  const gone = had.filter((n) => !names.has(n));
  const added = [...names].filter((n) => !had.includes(n));
  if (names.size === 0 && gone.length === 0) return null;
  return (
    <Text size="sm" mt="xs" className="fs-text">
      Variables: {[...names].sort().join(', ') || 'none'}.{added.length > 0 && ` New: ${added.join(', ')}.`}
      {gone.length > 0 && ` Gone: ${gone.join(', ')}.`} Their values are sent anew, and not compared.
    </Text>
  );
}
