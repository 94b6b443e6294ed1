import { Anchor, Badge, Group, Progress, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { groupsQuery } from '../../api/queries';
import { bytes, count } from '../../kit/bytes';
import { labelsOf, originWords, sourceWords } from '../../kit/inherit';
import { LinkAnchor } from '../../kit/links';
import { Since, useNow } from '../../kit/Since';
import { inWords, settingFields, settingNames } from '../../kit/settings';
import { Term, Terms } from '../../kit/Terms';
import { dateOf, exact, span } from '../../kit/time';
import { linkWords } from '../data/profile';
import { Variables } from '../variables/Variables';
import { Observation } from './Observation';
import { usePlace } from './place';
import { latLabel, lonLabel } from './position';
import type { Detail, Snapshot } from './queries';

/** Overview is what the device is: its machine, labels, claims, the settings in effect and its record. */
export function Overview({ device }: { device: Detail }) {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl" verticalSpacing="lg">
      <Stack gap="lg" miw={0}>
        <Observation device={device}>{(s) => <Machine snapshot={s} />}</Observation>
        <PositionPart device={device} />
        <RecordPart device={device} />
      </Stack>
      <Stack gap="lg" miw={0}>
        <SettingsPart device={device} />
        <LabelsPart device={device} />
        <Variables scope={{ device: device.id }} heading={{ order: 2, size: 'h4' }} />
        <ClaimsPart device={device} />
      </Stack>
    </SimpleGrid>
  );
}

function Part({ title, about, children }: { title: string; about?: string; children: ReactNode }) {
  return (
    <section>
      <Title order={2} size="h4" mb={about ? 0 : 6}>
        {title}
      </Title>
      {about && (
        <Text size="xs" c="dimmed" mb={6}>
          {about}
        </Text>
      )}
      {children}
    </section>
  );
}

function Machine({ snapshot: s }: { snapshot: Snapshot }) {
  const { asOf } = usePlace();
  const { host, engine } = s;
  const used = Math.min(Math.max(host.disk_used_percent, 0), 100);
  return (
    <Stack gap="lg">
      <Part title="Machine">
        <Terms>
          <Term name="Host name">{host.name}</Term>
          <Term name="System">{host.os}</Term>
          <Term name="Kernel">{host.kernel}</Term>
          <Term name="Architecture">{host.arch}</Term>
          <Term name="Processors">{host.cpus || undefined}</Term>
          <Term name="Memory">{host.memory ? bytes(host.memory) : undefined}</Term>
          {host.disk_total > 0 && (
            <Term name="Disk">
              <Group gap="xs">
                <Progress
                  w={140}
                  value={used}
                  color={used >= 90 ? 'red' : used >= 80 ? 'yellow' : 'sea'}
                  aria-label={`Disk: ${used} % used`}
                />
                {used} % of {bytes(host.disk_total)} used
              </Group>
            </Term>
          )}
          <Term name="Up">{host.booted ? <Up since={host.booted} until={asOf} /> : undefined}</Term>
        </Terms>
      </Part>
      <Part title="Container engine">
        <Terms>
          <Term name="Engine">{[engine.kind, engine.version].filter(Boolean).join(' ')}</Term>
          <Term name="State">{engine.state}</Term>
          <Term name="API">{engine.api}</Term>
          <Term name="Storage">{engine.storage}</Term>
          <Term name="Control groups">{engine.cgroup}</Term>
          <Term name="Containers">
            {`${(s.containers ?? []).filter((c) => c.state === 'running').length} of ${count(s.containers?.length ?? 0)} running`}
          </Term>
        </Terms>
      </Part>
    </Stack>
  );
}

function Up({ since, until }: { since: number; until: string | undefined }) {
  const now = useNow();
  const from = dateOf(since);
  if (!from) return null;
  const to = until ? Date.parse(until) : now;
  return (
    <>
      {span((to - from.getTime()) / 1000)}, since {exact(from)}
    </>
  );
}

function PositionPart({ device }: { device: Detail }) {
  const { go } = usePlace();
  const { data } = useQuery(groupsQuery);
  const p = device.position;
  const from = labelsOf(device.group, data?.items ?? []).get(latLabel);
  const own = device.own_labels?.[latLabel] !== undefined;
  return (
    <Part title="Position">
      {p ? (
        <Terms>
          <Term name="Latitude">{p.lat}</Term>
          <Term name="Longitude">{p.lon}</Term>
          <Term name="From">{own ? 'this device’s own labels' : from ? sourceWords(from) : 'its labels'}</Term>
          <Term name="Map">
            <LinkAnchor to="/fleet" search={{ view: 'map', q: device.id }} size="sm">
              Show on the map
            </LinkAnchor>
          </Term>
        </Terms>
      ) : (
        <Text size="sm" c="dimmed">
          It has none.{' '}
          <Anchor component="button" type="button" size="sm" onClick={() => go({ tab: 'settings' })}>
            Give it one
          </Anchor>
        </Text>
      )}
    </Part>
  );
}

function RecordPart({ device: d }: { device: Detail }) {
  return (
    <Part title="Record">
      <Terms>
        <Term name="Id">
          <code>{d.id}</code>
        </Term>
        <Term name="Known since">
          <Since at={d.created} />
        </Term>
        <Term name="Approved">
          {d.approved ? (
            <>
              <Since at={d.approved} /> by <span className="fs-text">{d.approved_by || 'somebody'}</span>
            </>
          ) : undefined}
        </Term>
        <Term name="Identity">{d.confirmed ? 'confirmed' : 'unconfirmed: it came in without its pairing code'}</Term>
        <Term name="Edge key">
          {d.enrolment_key ? (
            <LinkAnchor to="/keys" size="sm">
              {d.enrolment_key}
            </LinkAnchor>
          ) : undefined}
        </Term>
        <Term name="State since">
          <Since at={d.liveness.since} />
        </Term>
        <Term name="Agent">{[d.version, d.capability && `capability ${d.capability}`].filter(Boolean).join(', ')}</Term>
        {d.clock_offset_ms !== undefined && Math.abs(d.clock_offset_ms) >= 1000 && (
          <Term name="Its clock">
            {span(Math.abs(d.clock_offset_ms) / 1000)} {d.clock_offset_ms > 0 ? 'ahead of' : 'behind'} the hub’s; it
            goes by the hub’s
          </Term>
        )}
      </Terms>
    </Part>
  );
}

function SettingsPart({ device }: { device: Detail }) {
  const { settings, from, profile, link, tariff } = device.effective;
  return (
    <Part title="Settings in effect">
      <Terms>
        <Term name="Link profile">
          {profile || 'none'} {profile && <span className="fs-dim">· {originWords(from.profile)}</span>}
        </Term>
        {settingFields.map((f) => (
          <Term key={f} name={settingNames[f]}>
            {inWords(f, settings[f])} <span className="fs-dim">· {originWords(from[f])}</span>
          </Term>
        ))}
        {linkWords({ ...(link && { link }), ...(tariff && { tariff }) }).map(([name, words]) => (
          <Term key={name} name={name}>
            {words}
          </Term>
        ))}
      </Terms>
    </Part>
  );
}

function LabelsPart({ device: d }: { device: Detail }) {
  const { data } = useQuery(groupsQuery);
  const groups = labelsOf(d.group, data?.items ?? []);
  const own = d.own_labels ?? {};
  const position = (k: string) => k === latLabel || k === lonLabel;
  const all = Object.entries(d.labels).sort(([a], [b]) => a.localeCompare(b));
  const fact = (k: string) => k.startsWith('farshore.io/') && !position(k);
  const inheritedOnes = all.filter(([k]) => !fact(k) && !(k in own));
  return (
    <Part title="Labels" about="Selectors go by all of them.">
      <Terms>
        <Term name="Own">
          <Labels list={Object.entries(own).sort(([a], [b]) => a.localeCompare(b))} none="none" />
        </Term>
        <Term name="Inherited">
          <Labels
            list={inheritedOnes}
            none="none"
            hint={(k) => {
              const from = groups.get(k);
              return `from ${from ? sourceWords(from) : 'its groups'}`;
            }}
          />
        </Term>
        <Term name="Facts">
          <Labels list={all.filter(([k]) => fact(k))} none="none" />
        </Term>
      </Terms>
    </Part>
  );
}

interface LabelsProps {
  list: readonly (readonly [string, string])[];
  none: string;
  hint?: (key: string) => string;
}

function Labels({ list, none, hint }: LabelsProps) {
  if (list.length === 0) return <span className="fs-dim">{none}</span>;
  return (
    <Group gap={4}>
      {list.map(([k, v]) => (
        <Badge key={k} className="fs-label" variant="default" title={hint ? `${k}=${v} ${hint(k)}` : `${k}=${v}`}>
          {k}={v}
        </Badge>
      ))}
    </Group>
  );
}

function ClaimsPart({ device: d }: { device: Detail }) {
  const f = d.facts;
  return (
    <Part title="What it said of itself" about="When it knocked: claims, which nobody has checked.">
      <Terms>
        <Term name="Name">{f.name}</Term>
        <Term name="Host name">{f.hostname}</Term>
        <Term name="Serial number">{f.serial}</Term>
        <Term name="Machine id">{f.machine_id}</Term>
        <Term name="System">{f.os}</Term>
        <Term name="Architecture">{f.arch}</Term>
        <Term name="Engine">{f.engine}</Term>
        <Term name="Agent">{f.version}</Term>
        <Term name="Mode">{f.mode}</Term>
        {d.wishes && Object.keys(d.wishes).length > 0 && (
          <Term name="Wished labels">
            <Labels list={Object.entries(d.wishes)} none="" />
          </Term>
        )}
      </Terms>
    </Part>
  );
}
