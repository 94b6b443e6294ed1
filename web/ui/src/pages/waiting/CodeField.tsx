import { Button, Group, TextInput } from '@mantine/core';
import { IconCamera } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { normalizeCode } from './code';

const Scan = lazy(() => import('./Scan'));
const canScan = 'BarcodeDetector' in window && !!navigator.mediaDevices;

/** CodeField takes the pairing code that a device shows: typed, or by the camera where the browser can read QR codes. */
export function CodeField({ initial = '', find }: { initial?: string; find: (code: string) => void }) {
  const [typed, setTyped] = useState(initial);
  const [asked, setAsked] = useState(false);
  const [scanning, setScanning] = useState(false);
  const read = normalizeCode(typed);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if ('code' in read) find(read.code);
      }}
    >
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <TextInput
          flex={1}
          size="lg"
          label="Pairing code"
          placeholder="7ZK4-M0QD"
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          error={asked && 'wrong' in read && read.wrong}
          inputWrapperOrder={['label', 'error', 'input']}
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          maxLength={40}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', letterSpacing: '0.06em' } }}
        />
        {canScan && (
          <Button size="lg" px="sm" variant="default" onClick={() => setScanning(true)} aria-label="Scan the QR code">
            <IconCamera aria-hidden />
          </Button>
        )}
        <Button size="lg" type="submit">
          Find
        </Button>
      </Group>
      {scanning && (
        <Suspense>
          <Scan
            close={() => setScanning(false)}
            found={(code) => {
              setScanning(false);
              setTyped(code);
              find(code);
            }}
          />
        </Suspense>
      )}
    </form>
  );
}
