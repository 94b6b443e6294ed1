import { useSearch } from '@tanstack/react-router';
import { ByCode } from './ByCode';
import { Room } from './Room';
import './waiting.css';

/** Waiting is the waiting room: all of it, or the one device whose pairing code the address has. */
export function Waiting() {
  const { code } = useSearch({ from: '/inside/waiting' });
  return code ? <ByCode key={code} code={code} /> : <Room />;
}
