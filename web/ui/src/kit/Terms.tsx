import type { ReactNode } from 'react';

/** Terms is a list of names and values. */
export function Terms({ children }: { children: ReactNode }) {
  return <dl className="fs-terms">{children}</dl>;
}

/** Term is one of them; nothing where there is no value. */
export function Term({ name, children }: { name: string; children: ReactNode }) {
  if (children === undefined || children === null || children === '') return null;
  return (
    <>
      <dt>{name}</dt>
      <dd className="fs-text">{children}</dd>
    </>
  );
}
