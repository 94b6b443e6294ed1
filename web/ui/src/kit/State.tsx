import { Badge, Tooltip } from '@mantine/core';
import { lookOf } from './states';

interface Props {
  kind: Parameters<typeof lookOf>[0];
  state: string;
  /** A sentence that explains the state, on hover and for screen readers. */
  reason?: string;
}

/** State shows a state by colour, shape and word. */
export function State({ kind, state, reason }: Props) {
  const look = lookOf(kind, state);
  const badge = (
    <Badge
      className="fs-state"
      variant="light"
      color={look.color}
      leftSection={<look.icon size={14} aria-hidden />}
      data-state={state}
    >
      {look.word}
    </Badge>
  );
  return reason ? (
    <Tooltip label={reason} multiline maw={360}>
      {badge}
    </Tooltip>
  ) : (
    badge
  );
}
