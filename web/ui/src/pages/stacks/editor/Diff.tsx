import './editor.css';
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { Text } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { bytes } from '../../../kit/bytes';
import { usePhone } from '../../../kit/usePhone';
import { readOnly } from './codemirror';
import { type DraftFile, sizeOf } from './files';

interface Props {
  path: string;
  before: DraftFile | undefined;
  after: DraftFile | undefined;
  /** Who or what the two are, for screen readers. */
  names: readonly [string, string];
}

// A large file is compared coarsely rather than slowly.
const diffConfig = { scanLimit: 1000, timeout: 400 };

/** Diff shows two versions of a file: side by side, or one below the other on a phone. */
export function Diff({ path, before, after, names }: Props) {
  const phone = usePhone();
  if (typeof (before?.content ?? '') !== 'string' || typeof (after?.content ?? '') !== 'string') {
    const size = (f: DraftFile | undefined) => (f ? bytes(sizeOf(f)) : 'not there');
    return (
      <Text size="sm" c="dimmed" p="xs">
        Not text. {names[0]}: {size(before)}. {names[1]}: {size(after)}.
      </Text>
    );
  }
  const [a, b] = [(before?.content as string) ?? '', (after?.content as string) ?? ''];
  if (a === b && before && after) {
    return (
      <Text size="sm" c="dimmed" p="xs">
        {before.crlf === after.crlf ? 'Both are the same.' : 'Only the line ends differ (Windows, Unix).'}
      </Text>
    );
  }
  return <Views key={`${phone}`} path={path} a={a} b={b} names={names} phone={phone} />;
}

interface ViewProps {
  path: string;
  a: string;
  b: string;
  names: readonly [string, string];
  phone: boolean;
}

function Views({ path, a, b, names: [nameA, nameB], phone }: ViewProps) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = frame.current as HTMLElement;
    const named = (name: string) =>
      EditorView.contentAttributes.of({ 'aria-label': `${path}, ${name}`, tabindex: '0' });
    const collapseUnchanged = { margin: 3, minSize: 6 };
    if (phone) {
      const unified = unifiedMergeView({ original: a, mergeControls: false, collapseUnchanged, diffConfig });
      const extensions = [readOnly(path), EditorView.lineWrapping, named(`from ${nameA} to ${nameB}`), unified];
      const view = new EditorView({ state: EditorState.create({ doc: b, extensions }), parent });
      return () => view.destroy();
    }
    const view = new MergeView({
      a: { doc: a, extensions: [readOnly(path), named(nameA)] },
      b: { doc: b, extensions: [readOnly(path), named(nameB)] },
      collapseUnchanged,
      diffConfig,
      gutter: true,
      parent,
    });
    return () => view.destroy();
  }, [path, a, b, nameA, nameB, phone]);
  return <div ref={frame} className="fs-diff" />;
}
