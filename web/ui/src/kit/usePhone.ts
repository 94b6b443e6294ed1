import { useMediaQuery } from '@mantine/hooks';

/** usePhone tells whether the screen is as narrow as a phone's: what is a table elsewhere is then a list of cards. */
export function usePhone(): boolean {
  return useMediaQuery('(max-width: 47.99em)', false, { getInitialValueInEffect: false });
}
