import './data.css';
import { Button, ScrollArea, Table } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useState } from 'react';
import { bytes } from '../bytes';
import { bytesOf, classesOf, classMeans, className, colorOf, type Step, sumOf } from './classes';
import { scaleOf } from './scale';

interface Props {
  /** What was spent, the oldest first, without gaps. */
  steps: readonly Step[];
  step: 'hour' | 'day';
  /** What it is of, for who does not see it. */
  label: string;
}

const high = 200;
const left = 56;
const below = 22;

const hourText = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dateText = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayText = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** timeText says when a step was, shortly for an axis or in full. */
function timeText(at: string, step: Props['step'], full = false): string {
  const d = new Date(at);
  // A day begins at midnight somewhere: 13 hours later it is the same day in UTC, for zones of -10 to +13 hours.
  if (step === 'day') return dayText.format(new Date(d.getTime() + 13 * 3_600_000));
  const day = full || d.getHours() === 0 ? dateText.format(d) : '';
  return full ? `${day}, ${hourText.format(d)}` : day || hourText.format(d);
}

/** Chart shows bytes by class over time as stacked bars, and as a table. */
export function Chart({ steps, step, label }: Props) {
  const { ref, width } = useElementSize();
  const [shown, setShown] = useState<number>();
  const [table, setTable] = useState(false);
  const stack = classesOf(steps);
  const { top, lines } = scaleOf(Math.max(0, ...steps.map((s) => sumOf(s.classes))));
  const total = steps.reduce((sum, s) => sum + sumOf(s.classes), 0);
  const wide = Math.max(1, width - left);
  const column = wide / Math.max(1, steps.length);
  const y = (n: number) => high - (high * n) / top;
  const every = Math.max(1, Math.ceil(steps.length / Math.max(1, Math.floor(wide / 64))));
  const tip = shown === undefined ? undefined : steps[shown];
  return (
    <div>
      <div className="da-chart" ref={ref}>
        <svg height={high + below + 8} role="img" aria-label={`${label}: ${bytes(total)} in all. The table says more.`}>
          <g transform="translate(0 8)">
            {[0, ...lines].map((n) => (
              <g key={n}>
                <line x1={left} x2={left + wide} y1={y(n)} y2={y(n)} />
                <text x={left - 6} y={y(n) + 4} textAnchor="end">
                  {bytes(n)}
                </text>
              </g>
            ))}
            {width > 0 &&
              steps.map((s, i) => (
                // biome-ignore lint/a11y/noStaticElementInteractions: what it shows is in the table too
                <g
                  key={s.at}
                  className="da-column"
                  data-shown={shown === i || undefined}
                  transform={`translate(${left + i * column} 0)`}
                  onMouseEnter={() => setShown(i)}
                  onMouseLeave={() => setShown(undefined)}
                >
                  <rect className="da-ground" width={column} height={high} />
                  <Bar counts={s.classes} stack={stack} width={column} y={y} />
                  {i % every === 0 && (
                    <text x={column / 2} y={high + 16} textAnchor="middle">
                      {timeText(s.at, step)}
                    </text>
                  )}
                </g>
              ))}
          </g>
        </svg>
        {tip && shown !== undefined && (
          <div
            className="da-tip"
            style={
              shown < steps.length / 2
                ? { left: left + (shown + 1) * column + 8 }
                : { right: wide - shown * column + 8 }
            }
          >
            <b>{timeText(tip.at, step, true)}</b>: {bytes(sumOf(tip.classes))}
            <table>
              <tbody>
                {[...stack].reverse().map((c) =>
                  bytesOf(tip.classes, c) === 0 ? null : (
                    <tr key={c}>
                      <th>
                        <span className="da-swatch" style={{ background: colorOf(c) }} />
                        {className(c)}
                      </th>
                      <td>{bytes(bytesOf(tip.classes, c))}</td>
                    </tr>
                  ),
                )}
              </tbody>
            </table>
          </div>
        )}
      </div>
      <Button
        variant="subtle"
        size="compact-xs"
        px={0}
        mih={{ base: 40, sm: 24 }}
        aria-expanded={table}
        onClick={() => setTable(!table)}
      >
        {table ? 'Hide the table' : 'Show as a table'}
      </Button>
      {table && <Rows steps={steps} step={step} stack={stack} label={label} />}
    </div>
  );
}

interface BarProps {
  counts: Step['classes'];
  stack: readonly string[];
  width: number;
  y: (n: number) => number;
}

function Bar({ counts, stack, width, y }: BarProps) {
  const gap = width > 8 ? 3 : width > 3 ? 1 : 0;
  let at = 0;
  return stack.map((c) => {
    const n = bytesOf(counts, c);
    if (n === 0) return null;
    const [from, to] = [y(at), y(at + n)];
    at += n;
    return <rect key={c} x={gap / 2} y={to} width={width - gap} height={from - to} fill={colorOf(c)} />;
  });
}

function Rows({ steps, step, stack, label }: Props & { stack: readonly string[] }) {
  return (
    <ScrollArea.Autosize mah={320} type="auto" viewportProps={{ tabIndex: 0, 'aria-label': `${label}, as a table` }}>
      <Table aria-label={label} stickyHeader ta="right" verticalSpacing={3}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{step === 'hour' ? 'Hour' : 'Day'}</Table.Th>
            {stack.map((c) => (
              <Table.Th key={c} ta="right">
                {className(c)}
              </Table.Th>
            ))}
            <Table.Th ta="right">Sum</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[...steps].reverse().map((s) => (
            <Table.Tr key={s.at}>
              <Table.Th scope="row" fw={400} style={{ whiteSpace: 'nowrap' }}>
                {timeText(s.at, step, true)}
              </Table.Th>
              {stack.map((c) => (
                <Table.Td key={c}>{bytesOf(s.classes, c) > 0 ? bytes(bytesOf(s.classes, c)) : '–'}</Table.Td>
              ))}
              <Table.Td>{bytes(sumOf(s.classes))}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}

/** Legend names the classes with what each has cost in all, up and down. */
export function Legend({ totals }: { totals: Step['classes'] }) {
  return (
    <ul className="da-legend" aria-label="By class">
      {classesOf([{ at: '', classes: totals }]).map((c) => (
        <li
          key={c}
          title={`${classMeans(c)}\n${bytes(totals[c]?.up ?? 0)} up, ${bytes(totals[c]?.down ?? 0)} down`.trim()}
        >
          <span className="da-swatch" style={{ background: colorOf(c) }} />
          {className(c)} <b>{bytes(bytesOf(totals, c))}</b>
        </li>
      ))}
    </ul>
  );
}
