import { usePlace } from './place';
import type { Container } from './queries';

const shown = 3;

/** UsedBy names the containers that use something, as links to them. */
export function UsedBy({ containers }: { containers: readonly Container[] }) {
  const { go } = usePlace();
  if (containers.length === 0) return <span className="fs-dim">none</span>;
  const rest = containers.length - shown;
  return (
    <span className="fs-users">
      {containers.slice(0, shown).map((c, i) => (
        <span key={c.id}>
          {i > 0 && ', '}
          <button
            type="button"
            className="fs-link"
            onClick={() => go({ tab: 'containers', container: c.id, q: undefined })}
          >
            {c.name}
          </button>
        </span>
      ))}
      {rest > 0 && ` and ${rest} more`}
    </span>
  );
}
