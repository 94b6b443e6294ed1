import { Progress, Text } from '@mantine/core';
import type { Schemas } from '../api/client';
import { bytes } from './bytes';
import { State } from './State';
import { fetched, told } from './told';

type Standing = Pick<
  Schemas['DeviceStack'],
  'state' | 'code' | 'detail' | 'hold' | 'held_by' | 'done_bytes' | 'total_bytes'
>;

/** StackReason says why a stack stands where it does on a device: who holds it there, what it has fetched, what failed. */
export function StackReason({ stack: s }: { stack: Standing }) {
  const share = fetched(s);
  const { sentence, log } = told(s.detail);
  return (
    <>
      {s.hold && (
        <Text size="sm" component="div" className="fs-text">
          <State kind="hold" state={s.hold} /> by {s.held_by || 'somebody at the device'}, until it is released there.
        </Text>
      )}
      {share !== undefined && (
        <div>
          <Progress value={share} size="sm" my={4} maw={240} aria-label={`${share} % fetched`} />
          <Text size="sm">
            {bytes(s.done_bytes ?? 0)} of {bytes(s.total_bytes)}
          </Text>
        </div>
      )}
      {(sentence || s.code) && (
        <Text size="sm" className="fs-text" component="div">
          {sentence || s.code}
          {sentence && s.code && (
            <Text component="span" size="xs" c="dimmed" className="fs-code">
              {' '}
              {s.code}
            </Text>
          )}
        </Text>
      )}
      {log && (
        <details>
          <summary className="fs-fold">The end of its log</summary>
          <Text component="pre" size="xs" className="fs-code fs-log">
            {log}
          </Text>
        </details>
      )}
    </>
  );
}
