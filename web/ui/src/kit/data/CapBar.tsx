import './data.css';
import { bytes } from '../bytes';
import { lookOf } from '../states';

interface Props {
  spent: number;
  /** Zero or absent: there is none. */
  soft?: number | undefined;
  hard?: number | undefined;
  reserve?: number | undefined;
  projected?: number | undefined;
  stage?: string | undefined;
  large?: boolean;
}

/** capWords says what is spent of what: "1.2 MB of 5.0 MB". */
export function capWords({ spent, soft, hard }: Pick<Props, 'spent' | 'soft' | 'hard'>): string {
  if (hard) return `${bytes(spent)} of ${bytes(hard)}`;
  return soft ? `${bytes(spent)}, saves from ${bytes(soft)} on` : bytes(spent);
}

/** CapBar shows what a device has spent of its caps, and where it will be at the cycle's end. Nothing without caps. */
export function CapBar({ spent, soft = 0, hard = 0, reserve = 0, projected = 0, stage = 'free', large }: Props) {
  const cap = hard || soft;
  if (!cap) return null;
  // What goes over is seen to go over, and does not make the rest too small to see.
  const whole = Math.max(cap, Math.min(Math.max(spent, projected), cap * 1.5));
  const at = (n: number) => `${Math.min(100, (100 * n) / whole)}%`;
  const words = [
    capWords({ spent, soft, hard }),
    hard && soft && `saves from ${bytes(soft)} on`,
    hard && reserve && `keeps ${bytes(reserve)} for urgent work`,
    projected && `${bytes(projected)} at the cycle’s end`,
  ]
    .filter(Boolean)
    .join(', ');
  return (
    <div className="da-cap" data-large={large || undefined} role="img" aria-label={words} title={words}>
      {projected > spent && (
        <span className="da-ahead" style={{ left: at(spent), right: `calc(100% - ${at(projected)})` }} />
      )}
      <span
        className="da-spent"
        style={{ width: at(spent), background: `var(--mantine-color-${lookOf('spending', stage).color}-filled)` }}
      />
      {soft > 0 && soft < whole && <span className="da-mark" data-kind="soft" style={{ left: at(soft) }} />}
      {hard > 0 && reserve > 0 && <span className="da-mark" data-kind="soft" style={{ left: at(hard - reserve) }} />}
      {hard > 0 && <span className="da-mark" data-kind="hard" style={{ left: at(hard) }} />}
    </div>
  );
}
