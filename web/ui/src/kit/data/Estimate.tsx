import './data.css';
import { Alert, List, Stack, Table, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { Schemas } from '../../api/client';
import { bytes, count } from '../bytes';
import { LinkAnchor } from '../links';
import { span } from '../time';

type Estimated = Schemas['Estimate'];
type RolloutData = Schemas['RolloutData'];

const most = 20;

/** moneyWords writes amounts in their currencies: "12.40 EUR and 3.00 USD". */
export const moneyWords = (cost: Estimated['cost']): string =>
  cost.map((c) => `${c.amount} ${c.currency}`).join(' and ');

/** sourceWords says how well it is known what an image costs. */
export function sourceWords({ source, why }: Estimated['images'][number]): string {
  const words = {
    registry: 'as its registry says',
    devices: 'as devices have it: the upper bound',
    unknown: 'not known',
  };
  return [words[source as keyof typeof words] ?? source, why].filter(Boolean).join(': ');
}

/** Estimate says what a change will cost: bytes, money and time, who would go over their budget, and what is not known. */
export function Estimate({ estimate: e }: { estimate: Estimated }) {
  const sure = e.images.every((i) => i.source === 'registry');
  return (
    <Stack gap={6}>
      <Text size="sm">
        About <b>{bytes(e.total)}</b> over the links of {count(e.devices, 'device')}
        {e.devices > 1 && `: ${bytes(e.largest)} at most, ${bytes(e.median)} in the middle`}
        {e.cost.length > 0 && (
          <>
            , <b>{moneyWords(e.cost)}</b>
          </>
        )}
        . {e.seconds.largest > 0 && `The slowest has it in ${span(e.seconds.largest)}.`}
        {e.seconds.unknown > 0 && ` How long ${count(e.seconds.unknown, 'device takes', 'devices take')} is not known.`}
      </Text>
      {e.total > 0 && (
        <Text size="sm" c="dimmed">
          Files {bytes(e.parts.files)}, images {bytes(e.parts.images)}, being in contact {bytes(e.parts.overhead)}
          {sure ? '' : '; some sizes are not those of a registry'}.
        </Text>
      )}
      {e.over.length > 0 && (
        <Alert
          color="red"
          icon={<IconAlertTriangle aria-hidden />}
          title={`Over the budget of ${count(e.over_count, 'device')}`}
          p="xs"
        >
          <div className="fs-scroll">
            <Table aria-label="Devices whose budget does not suffice" verticalSpacing={3} w="auto">
              <Table.Tbody>
                {e.over.slice(0, most).map((d) => (
                  <Table.Tr key={d.device}>
                    <Table.Td>
                      <LinkAnchor
                        to="/devices/$device"
                        params={{ device: d.device }}
                        search={{ tab: 'data' }}
                        target="_blank"
                        size="sm"
                        className="fs-text"
                      >
                        {d.name}
                      </LinkAnchor>
                    </Table.Td>
                    <Table.Td>needs {bytes(d.need)}</Table.Td>
                    <Table.Td>{bytes(d.left)} are left</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
          {e.over_count > most && <Text size="sm">And {count(e.over_count - most)} more.</Text>}
          <Text size="sm">
            They fetch what fits and wait with the rest until their next cycle, or until their caps are lifted.
          </Text>
        </Alert>
      )}
      {e.images.length > 0 && (
        <details>
          <summary className="fs-fold">{count(e.images.length, 'image')}</summary>
          <div className="fs-scroll">
            <Table aria-label="Images" verticalSpacing={3}>
              <Table.Tbody>
                {e.images.map((i) => (
                  <Table.Tr key={`${i.image} ${i.platform}`}>
                    <Table.Td className="fs-text">
                      <span className="fs-code">{i.image}</span>
                      {i.platform && (
                        <Text size="xs" c="dimmed">
                          {i.platform}
                        </Text>
                      )}
                    </Table.Td>
                    <Table.Td ta="right">{i.source === 'unknown' ? '–' : bytes(i.bytes)}</Table.Td>
                    <Table.Td>{i.layers ? count(i.layers, 'layer') : ''}</Table.Td>
                    <Table.Td className="fs-text">{sourceWords(i)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </details>
      )}
      {e.notes.length > 0 && (
        <List size="sm">
          {e.notes.map((n) => (
            <List.Item key={n} className="fs-text">
              {n}
            </List.Item>
          ))}
        </List>
      )}
    </Stack>
  );
}

/** spentWords says of a rollout what it was thought to cost, and what it has cost so far. */
export function spentWords({ estimate, estimated, actual, reported }: RolloutData): string {
  const thought = estimated > 0 ? `Estimated ${bytes(estimate)} for ${count(estimated, 'device')}` : 'Not estimated';
  if (reported === 0) return `${thought}; no device has said yet what it spent.`;
  return `${thought}; spent ${bytes(actual)}, as ${count(reported, 'device says', 'devices say')}.`;
}
