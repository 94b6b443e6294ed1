import { usePlace } from './place';
import type { Detail } from './queries';

/** useActing says why nothing can be asked of the device from here; undefined: it can. */
export function useActing(device: Detail): string | undefined {
  const { asOf } = usePlace();
  if (device.liveness.state === 'revoked') return 'The device is shut out: it gets no commands.';
  if (asOf) return 'You look at the past. Go back to now to act.';
  return undefined;
}
