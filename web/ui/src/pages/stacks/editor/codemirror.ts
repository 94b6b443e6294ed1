import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { nonce } from '../../../app/nonce';
import { isYaml } from './files';

const colors = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--fs-code-key)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: 'var(--fs-code-text)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.keyword], color: 'var(--fs-code-number)' },
  { tag: [tags.labelName, tags.typeName, tags.meta], color: 'var(--fs-code-number)' },
  { tag: [tags.lineComment, tags.comment], color: 'var(--fs-code-comment)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--mantine-color-text)', backgroundColor: 'var(--mantine-color-body)', fontSize: '13px' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.5' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { caretColor: 'var(--mantine-color-text)' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
  '.cm-gutters': {
    backgroundColor: 'var(--mantine-color-body)',
    color: 'var(--mantine-color-dimmed)',
    borderRight: '1px solid var(--fs-line)',
  },
  '.cm-activeLine': { backgroundColor: 'transparent' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--mantine-primary-color-light)', color: 'inherit' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--mantine-primary-color-light-hover)',
  },
  '.cm-panels': { backgroundColor: 'var(--mantine-color-body)', color: 'inherit', borderColor: 'var(--fs-line)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--mantine-color-body)',
    border: '1px solid var(--fs-line)',
    maxWidth: 'min(420px, 90vw)',
  },
  '.cm-diagnostic': { fontFamily: 'var(--mantine-font-family)', overflowWrap: 'anywhere' },
  '.cm-collapsedLines': {
    background: 'var(--mantine-color-default-hover)',
    color: 'var(--mantine-color-dimmed)',
  },
  '.cm-changedLine, .cm-insertedLine, &.cm-merge-b .cm-changedLine': {
    backgroundColor: 'var(--fs-code-new) !important',
  },
  '.cm-deletedChunk, &.cm-merge-a .cm-changedLine': { backgroundColor: 'var(--fs-code-gone) !important' },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': {
    background: 'none !important',
    textDecoration: 'underline 2px',
  },
  '&.cm-merge-b .cm-changedText': { background: 'none !important', textDecoration: 'underline 2px' },
});

/** shown is what every view of a file has. */
export function shown(path: string): Extension {
  return [
    EditorView.cspNonce.of(nonce),
    look,
    syntaxHighlighting(colors),
    lineNumbers(),
    highlightSpecialChars(),
    isYaml(path) ? yaml() : [],
  ];
}

/** readOnly is a file that is looked at. */
export function readOnly(path: string): Extension {
  return [shown(path), EditorState.readOnly.of(true), EditorView.editable.of(false), keymap.of(searchKeymap)];
}

/**
 * Where a letter replaces what is selected, Chromium puts a span with a style of its own into the page, which the
 * policy forbids. So the letter is taken before that happens.
 */
const replacing = EditorView.domEventHandlers({
  beforeinput(e, view) {
    if (e.inputType !== 'insertText' || e.data === null || e.isComposing || view.state.selection.main.empty)
      return false;
    e.preventDefault();
    view.dispatch(view.state.replaceSelection(e.data), { userEvent: 'input.type', scrollIntoView: true });
    return true;
  },
});

/** editable is a file that is edited; Mod-Enter is the page's. Tab indents; after Escape it leads out of the editor. */
export function editable(path: string): Extension {
  return [
    shown(path),
    replacing,
    history(),
    drawSelection(),
    indentOnInput(),
    indentUnit.of('  '),
    EditorState.tabSize.of(2),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    lintGutter(),
    keymap.of([
      { key: 'Mod-Enter', run: () => true },
      indentWithTab,
      ...defaultKeymap,
      ...historyKeymap,
      ...searchKeymap,
      ...lintKeymap,
    ]),
  ];
}
