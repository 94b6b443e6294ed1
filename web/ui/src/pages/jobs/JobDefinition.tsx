import { Code, Stack, Text, Title } from '@mantine/core';
import { bytes, count } from '../../kit/bytes';
import { LinkAnchor } from '../../kit/links';
import { Term, Terms } from '../../kit/Terms';
import { span } from '../../kit/time';
import { ownedOf, ownerWords } from '../stacks/editor/owner';
import { ruleWords } from './definition';
import { Times } from './NextRuns';
import type { Job } from './queries';

const pulls = { missing: 'when it is not there', always: 'before each run', never: 'never' } as const;

/** JobDefinition says what a job is. */
export function JobDefinition({ job: j }: { job: Job }) {
  const [include, exclude, devices, env, secret] = [
    j.include ?? [],
    j.exclude ?? [],
    j.devices ?? [],
    Object.entries(j.env ?? {}),
    j.secret ?? [],
  ];
  const all = !j.selector && include.length + devices.length === 0 && !j.unseen_edge_groups;
  const c = j.container;
  return (
    <div className="jb-editor">
      <Stack gap="sm">
        <Title order={3}>What is run</Title>
        {j.script ? (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard has to reach
          <section className="fs-output" tabIndex={0} aria-label="Script">
            {j.script}
          </section>
        ) : (
          <Text size="sm">The image’s own program.</Text>
        )}
        <Terms>
          <Term name="Where">{c ? `In a container of ${c.image}` : 'On the host'}</Term>
          {c && <Term name="Image is asked for">{pulls[c.pull ?? 'missing']}</Term>}
          <Term name="Network">{c?.network}</Term>
          {c?.milli_cpus && <Term name="Processors">{String(c.milli_cpus / 1000)}</Term>}
          {c?.memory && <Term name="Memory">{bytes(c.memory)}</Term>}
          {c?.mounts?.map((m) => (
            <Term name="Mount" key={m.target}>
              {`${m.source} on ${m.target}${m.read_only ? ', to read only' : ''}`}
            </Term>
          ))}
          <Term name="User">{j.user}</Term>
          <Term name="Working folder">{j.dir}</Term>
          {j.args && j.args.length > 0 && <Term name="Arguments">{j.args.join(' ')}</Term>}
          {env.length + secret.length > 0 && (
            <Term name="Variables">
              {env.map(([k, v]) => (
                <div key={k}>
                  <Code>{j.masked ? k : `${k}=${v}`}</Code> {j.masked && 'hidden from you'}
                </div>
              ))}
              {secret.map((k) => (
                <div key={k}>
                  <Code>{k}</Code> secret
                </div>
              ))}
            </Term>
          )}
        </Terms>
      </Stack>
      <Stack gap="sm">
        <Title order={3}>When</Title>
        <div>
          <Text size="sm">{j.words}</Text>
          <Times next={j.upcoming} schedule={j.schedule} />
        </div>
        <Title order={3}>On which devices</Title>
        <Terms>
          <Term name="Home group">
            {j.group ? (
              <LinkAnchor to="/groups" search={{ path: j.group }} size="sm">
                {j.group}
              </LinkAnchor>
            ) : (
              'the root'
            )}
          </Term>
          {all && <Term name="Devices">all</Term>}
          <Term name="Selector">{j.selector}</Term>
          <Term name="In one of">{include.join(', ')}</Term>
          <Term name="In none of">{exclude.join(', ')}</Term>
          <Term name="By name">{devices.map((d) => j.device_names?.[d] ?? d).join(', ')}</Term>
          {j.unseen_edge_groups ? (
            <Term name="And">{count(j.unseen_edge_groups, 'edge group')} that you do not see</Term>
          ) : null}
          {j.owner && <Term name="Owner">{ownerWords(ownedOf(j.owner))}</Term>}
        </Terms>
        <Title order={3}>Rules</Title>
        <Terms>
          <Term name="Time limit">{span(j.timeout_seconds || 3600)}</Term>
          <Term name="Retries">
            {j.retries ? `${j.retries}, each after ${span(j.retry_delay_seconds || 60)}` : 'none'}
          </Term>
          <Term name="Overlap">{ruleWords.overlap[j.overlap ?? 'skip']}</Term>
          <Term name="Missed">
            {ruleWords.missed[j.missed ?? 'skip']}
            {j.missed === 'all' && ` At most ${j.missed_limit ?? 10}.`}
          </Term>
          <Term name="Output">
            {ruleWords.output[j.output ?? 'on-failure']}
            {j.output !== 'never' && ` At most ${bytes(j.output_cap || 65_536)} of each stream.`}
          </Term>
        </Terms>
      </Stack>
    </div>
  );
}
