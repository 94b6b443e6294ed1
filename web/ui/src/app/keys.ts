import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';

/** What the keyboard does on every page, for the help page too. */
export const shortcuts = [
  { keys: '/', does: 'Search the fleet' },
  { keys: 'g f', does: 'Fleet', to: '/fleet' },
  { keys: 'g w', does: 'Waiting room', to: '/waiting' },
  { keys: 'g k', does: 'Edge keys', to: '/keys' },
  { keys: 'g g', does: 'Groups', to: '/groups' },
  { keys: 'g e', does: 'Edge groups', to: '/edge-groups' },
  { keys: 'g s', does: 'Stacks', to: '/stacks' },
  { keys: 'g j', does: 'Jobs', to: '/jobs' },
  { keys: 'g u', does: 'Updates', to: '/updates' },
  { keys: 'g a', does: 'Activity', to: '/activity' },
  { keys: '?', does: 'This help' },
] as const;

// How long a second key may take.
const patience = 1500;

/** typing reports whether keys belong to what has the focus. */
function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** useKeys listens to the shortcuts. */
export function useKeys(help: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let first = '';
    let at = 0;
    const pressed = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.querySelector('[aria-modal="true"]'))
        return;
      const both = Date.now() - at < patience ? `${first} ${e.key}` : e.key;
      const hit = shortcuts.find((s) => s.keys === both) ?? shortcuts.find((s) => s.keys === e.key);
      first = e.key;
      at = Date.now();
      if (!hit) return;
      first = '';
      e.preventDefault();
      if ('to' in hit) void navigate({ to: hit.to });
      else if (hit.keys === '?') help();
      else document.querySelector<HTMLInputElement>('#fs-search')?.focus();
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [navigate, help]);
}
