import { Badge } from '@mantine/core';
import {
  IconArrowBackUp,
  IconBan,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClock,
  IconLoader,
  IconPlayerPause,
  IconUserCheck,
  type TablerIcon,
} from '@tabler/icons-react';
import { phaseColor } from './words';

const icons: Record<string, TablerIcon> = {
  planned: IconClock,
  unapproved: IconUserCheck,
  running: IconLoader,
  soaking: IconClock,
  paused: IconPlayerPause,
  'rolling-back': IconArrowBackUp,
  done: IconCircleCheck,
  failed: IconCircleX,
  aborted: IconBan,
};

const words: Record<string, string> = {
  unapproved: 'waits for approval',
  soaking: 'watching',
  'rolling-back': 'rolling back',
};

/** Phase shows where a rollout or an update stands, by colour, shape and word. */
export function Phase({ phase }: { phase: string }) {
  const Icon = icons[phase] ?? IconCircleDashed;
  return (
    <Badge
      className="fs-state"
      variant="light"
      color={phaseColor(phase)}
      leftSection={<Icon size={14} aria-hidden />}
      data-phase={phase}
    >
      {words[phase] ?? phase}
    </Badge>
  );
}
