import type { ReactNode } from 'react';
import { useMay } from './useMay';

/** May shows what it holds to those only who may do an operation anywhere; see useMay. */
export function May({ operation, children }: { operation: string; children: ReactNode }) {
  return useMay(operation) ? children : null;
}
