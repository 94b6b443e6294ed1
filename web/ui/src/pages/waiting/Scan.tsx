import { Modal, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { codeIn } from './code';

interface Detector {
  detect(from: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

// Part of the Shape Detection API (WICG), which TypeScript does not know.
type DetectorClass = new (options: { formats: string[] }) => Detector;

const lookEvery = 250; // ms

/** Scan reads the pairing code off the QR code that a device shows, by the camera. */
export default function Scan({ found, close }: { found: (code: string) => void; close: () => void }) {
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const [wrong, setWrong] = useState('');
  const tell = useRef(found);
  tell.current = found;
  useEffect(() => {
    if (!video) return;
    const detector = new (window as unknown as { BarcodeDetector: DetectorClass }).BarcodeDetector({
      formats: ['qr_code'],
    });
    let stream: MediaStream | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    const look = async () => {
      // A picture that is not there yet cannot be looked at; the next one can.
      const seen = await detector.detect(video).catch(() => []);
      if (ended) return;
      const code = seen.map((s) => codeIn(s.rawValue)).find(Boolean);
      if (code) return tell.current(code);
      setWrong(seen.length > 0 ? 'This QR code has no pairing code in it.' : '');
      timer = setTimeout(look, lookEvery);
    };
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).then(
      async (s) => {
        stream = s;
        if (ended) return stop(s);
        video.srcObject = s;
        await video.play().catch(() => undefined);
        void look();
      },
      () => setWrong('The camera cannot be used. Allow it for this page in the browser, or type the code.'),
    );
    return () => {
      ended = true;
      clearTimeout(timer);
      if (stream) stop(stream);
    };
  }, [video]);
  return (
    <Modal opened onClose={close} title="Point the camera at the device’s QR code" centered>
      <video ref={setVideo} playsInline muted style={{ width: '100%', minHeight: 240, background: '#000' }} />
      <Text size="sm" role="status" mih={22}>
        {wrong}
      </Text>
    </Modal>
  );
}

function stop(stream: MediaStream) {
  for (const track of stream.getTracks()) track.stop();
}
