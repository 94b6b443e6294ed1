const esc = String.fromCharCode(0x1b);
// Sequences that move cursors and change colours (ECMA-48), and titles of windows.
const sequences = new RegExp(`${esc}(\\[[0-?]*[ -/]*[@-~]|\\][^\\u0007${esc}]*(\\u0007|${esc}\\\\)|[@-Z\\\\^_])`, 'g');

/** plain makes what a program wrote to a terminal readable as text: no colours, a line where a line was overwritten. */
export function plain(output: string): string {
  const text = output.replace(sequences, '').replace(/\r+\n/g, '\n').replace(/\r/g, '\n');
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if ((c >= 0x20 && c !== 0x7f) || c === 0x09 || c === 0x0a) continue;
    out += text.slice(from, i);
    from = i + 1;
  }
  return out + text.slice(from);
}
